pytest_plugins = ["voiceproxy.pytest_plugin"]
