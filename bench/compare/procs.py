"""Processes of a run: started, watched, measured and ended by their own ids.

Every process lives in its own session and asks the kernel to end it when the
driver dies, so that nothing stays behind, not even after a kill -9.
"""

import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
_TICK = os.sysconf("SC_CLK_TCK")
_libc = ctypes.CDLL(None, use_errno=True)


class StartError(Exception):
    """A process that did not come up; the message says why and where its log is."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A child with its output in a file. `stdio=True` keeps its stdin and stdout as pipes."""

    def __init__(self, name, command, log, env=None, cwd=None, stdio=False):
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        pipe = subprocess.PIPE if stdio else subprocess.DEVNULL
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(
                [str(c) for c in command], stdin=pipe, stdout=subprocess.PIPE if stdio else out, stderr=out,
                env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True, preexec_fn=_die_with_parent)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def stop(self, patience=10):
        """Asks, waits, and ends it for good."""
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    pass  # what was not sent has no reader any more

    def last_words(self):
        """The end of the log, for an error message."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{self.name}: {lines[-1][:300] if lines else 'no output'} (log: {self.log})"

    def cpu(self):
        """CPU seconds so far, user and system."""
        try:
            with open(f"/proc/{self.pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICK
        except (OSError, IndexError):
            return 0.0

    def status(self, key):
        """A size of /proc/PID/status (VmRSS, VmHWM …) in bytes, 0 when it has ended."""
        try:
            with open(f"/proc/{self.pid}/status") as f:
                for line in f:
                    if line.startswith(key + ":"):
                        return int(line.split()[1]) * 1024
        except OSError:
            pass
        return 0

    def reset_peak(self):
        """Makes VmHWM start again at the present size."""
        try:
            with open(f"/proc/{self.pid}/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            pass


def await_port(process, port, patience):
    """Waits until something listens; fails at once when the process ends."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not process.running():
            raise StartError(process.last_words())
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise StartError(f"nothing listens on port {port} after {patience} s; {process.last_words()}")


def require_free(port):
    """One clear line when a port is taken, instead of measuring a stranger."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError as e:
            raise StartError(f"port {port} is in use; choose others with PORT=") from e
