"""listen.py: a recording, written down."""

import wave

from proxied import client

with wave.open("tests/data/speech.wav") as file:
    audio = file.readframes(file.getnframes())

with client.listen.v1.connect(model="nova-3", encoding="linear16", sample_rate=16000) as listen:
    for start in range(0, len(audio), 3200):
        listen.send_media(audio[start : start + 3200])
    listen.send_close_stream()
    for message in listen:
        if message.type == "Results":
            print(message.channel.alternatives[0].transcript)
