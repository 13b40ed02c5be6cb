"""Runs a program at a terminal of its own. The job comes on standard input, the screen goes to standard output."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

job = json.load(sys.stdin)
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    os.execv(job["argv"][0], job["argv"])

screen = b""
steps = job["steps"]
searched = 0
while True:
    while steps:
        wanted = steps[0].get("wait", "").encode()
        at = screen.find(wanted, searched)
        if at < 0 or not os.path.exists(steps[0].get("file", "/")):
            break
        searched = at + len(wanted)
        step = steps.pop(0)
        if "send" in step:
            os.write(terminal, step["send"].encode())
        if "signal" in step:
            os.kill(pid, getattr(signal, step["signal"]))
    if not select.select([terminal], [], [], 0.05)[0]:
        continue
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # EIO: the other side is gone
        break
    if not piece:
        break
    screen += piece

sys.stdout.buffer.write(screen)
sys.stdout.buffer.flush()
if steps:
    sys.stderr.write(f"it ended before {steps[0]}; the screen was:\n{screen.decode(errors='replace')}")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)
