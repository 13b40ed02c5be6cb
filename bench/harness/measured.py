"""Runs a program and says what it took, as the kernel keeps it: processor time and the peak of resident memory of it
and all it waited for. Node tells that of itself alone, and /proc forgets it when a process ends.

usage: measured.py JOB REPORT PROGRAM ARGUMENT...
JOB is a JSON object: "cores" (a list; absent: all), "sample" (seconds between samples of resident memory; absent: none).
"""
import json
import os
import signal
import sys
import threading
import time


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sample(pid, every, started, samples, over):
    while not over.wait(every):
        try:
            samples.append([round(time.monotonic() - started, 3), resident(pid)])
        except (FileNotFoundError, ProcessLookupError):
            return


def main():
    job, report, program = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        if "cores" in job:
            os.sched_setaffinity(0, job["cores"])
        try:
            os.execvp(program[0], program)
        except OSError as error:
            print(f"{program[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))
    samples, over = [], threading.Event()
    if "sample" in job:
        threading.Thread(target=sample, args=(pid, job["sample"], started, samples, over), daemon=True).start()
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - started
    over.set()
    code = os.waitstatus_to_exitcode(status)
    with open(report, "w") as file:
        json.dump(
            {
                "code": code,
                "seconds": seconds,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss * 1024,
                **({"samples": samples} if "sample" in job else {}),
            },
            file,
        )


main()
