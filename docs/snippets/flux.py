"""flux.py: a recording, turn by turn."""

import wave

from proxied import client

with wave.open("tests/data/speech.wav") as file:
    audio = file.readframes(file.getnframes()) + bytes(32000)  # silence ends the turn

flux = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": 16000}
with client.listen.v2.connect(**flux) as listen:
    for start in range(0, len(audio), 3200):
        listen.send_media(audio[start : start + 3200])
    listen.send_close_stream()
    for message in listen:
        if message.type == "TurnInfo" and message.event == "EndOfTurn":
            print(message.transcript)
