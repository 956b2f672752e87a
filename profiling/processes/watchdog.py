"""Watchdog: a child process with a deadline; what it was doing at that moment is kept, then it alone is ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

STACK_SECONDS = 20.0  # for py-spy to read a stack
STACK_FILE = "HOTROW_STACK_FILE"  # where a child writes its own stack when asked by signal
TAIL = 4000  # characters kept of what a child wrote
NO_PERMISSION = "needs permission to trace another process: root, CAP_SYS_PTRACE, or kernel.yama.ptrace_scope = 0"


@dataclass(frozen=True)
class Ended:
    """How a child ended: its code (negative: the signal), seconds, the end of what it wrote, and the kept stack.

    stack: None unless the deadline passed. failure: one line that says why it failed, None where it did not.
    """

    code: int
    seconds: float
    wrote: str
    stack: str | None
    failure: str | None


def supervise(command: Sequence[str], environment: Mapping[str, str], deadline: float) -> Ended:
    """Run `command`; after `deadline` seconds keep its stack and end it. Ctrl-C ends it as well."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile(suffix=".stack") as stack_file:
        child = subprocess.Popen(
            command,
            env=dict(environment) | {STACK_FILE: stack_file.name},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack = None
        try:
            child.wait(deadline)
        except subprocess.TimeoutExpired:
            stack = stack_of(child.pid, Path(stack_file.name))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        seconds = time.monotonic() - began
        wrote = _tail(output)
    return Ended(child.returncode, seconds, wrote, stack, _failure(child.returncode, wrote, stack, deadline))


def stack_of(pid: int, own: Path | None = None) -> str:
    """The stacks of a running process: native frames too where py-spy may read them, else Python's alone.

    own: a file to which the process writes its stacks on SIGUSR1, the last resort where tracing is refused.
    """
    program = py_spy()
    refusal = "py-spy is not installed" if program is None else ""
    for native in (["--native"], []) if program else ():
        command = [str(program), "dump", "--pid", str(pid), *native]
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(command, capture_output=True, text=True, timeout=STACK_SECONDS)
            if done.returncode == 0 and "Thread" in done.stdout:
                return done.stdout
            refusal = denied(done.stderr) or done.stderr.strip()
    return f"{refusal}\n{_own_stack(pid, own)}"


def py_spy() -> Path | None:
    """The program py-spy of this environment, or the first on the PATH."""
    here = Path(sysconfig.get_path("scripts")) / ("py-spy.exe" if sys.platform == "win32" else "py-spy")
    found = here if here.exists() else shutil.which("py-spy")
    return Path(found) if found else None


def denied(message: str) -> str | None:
    """What to do where py-spy says that it may not trace, else None."""
    told = ("permission denied", "operation not permitted", "requires root", "run as root", "eperm")
    return f"py-spy {NO_PERMISSION}" if any(word in message.lower() for word in told) else None


def _own_stack(pid: int, own: Path | None) -> str:
    if own is None or not hasattr(signal, "SIGUSR1"):
        return ""
    os.kill(pid, signal.SIGUSR1)
    end = time.monotonic() + 1
    while time.monotonic() < end and not own.stat().st_size:
        time.sleep(0.02)
    return own.read_text(errors="replace")


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, 2)
    output.seek(max(0, size - TAIL))
    return output.read().decode(errors="replace")


def _failure(code: int, wrote: str, stack: str | None, deadline: float) -> str | None:
    if stack is not None:
        return f"hung: not done after {deadline:g} s; the process was ended once its stack was read"
    if code == 0:
        return None
    if code == -9:
        return "killed from outside (SIGKILL), as a system does that runs out of memory; try smaller tables"
    if code < 0:
        name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else f"signal {-code}"
        return f"crashed with {name}"
    lines = wrote.strip().splitlines()
    return f"ended with code {code}{': ' + lines[-1] if lines else ''}"
