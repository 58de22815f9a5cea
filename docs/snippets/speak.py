"""speak.py: a sentence, spoken into a file."""

import wave

from deepgram.speak.v1.types import SpeakV1Text
from proxied import client

voice = {"model": "aura-2-thalia-en", "encoding": "linear16", "sample_rate": 24000}
with client.speak.v1.connect(**voice) as speak, wave.open("hello.wav", "wb") as file:
    file.setparams((1, 2, 24000, 0, "NONE", ""))
    speak.send_text(SpeakV1Text(text="Hello there."))
    speak.send_flush()
    for message in speak:
        if isinstance(message, bytes):
            file.writeframes(message)
        elif message.type == "Flushed":
            break
    speak.send_close()
