"""The machine that measures: what it is, how busy it is, what it has cached."""

import os
import platform
import time

_TICK = os.sysconf("SC_CLK_TCK")


def describe():
    """One line: CPU model, cores in use, memory, kernel."""
    return (f"{_proc('/proc/cpuinfo', 'model name') or platform.machine()}, {len(os.sched_getaffinity(0))} cores used"
            f" of {os.cpu_count()}, {memory() / 2**30:.0f} GiB RAM, Linux {platform.release()}")


def _proc(file, key):
    with open(file) as f:
        for line in f:
            if line.startswith(key):
                return line.split(":", 1)[1].strip()
    return ""


def cores():
    """Cores of the machine, used or not."""
    return os.cpu_count()


def memory():
    """Bytes of RAM."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def busy():
    """CPU seconds that all cores together have been busy since the start of
    the machine, and seconds that they could not work because the host had
    given them to others."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = v[:8]
    return (user + nice + system + irq + softirq) / _TICK, steal / _TICK


def pin(threads):
    """Keeps this process, and all that it starts, on as many cores as the
    engines may use, so that none gains by a larger machine."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > threads:
        os.sched_setaffinity(0, cores[:threads])


def settle(patience):
    """Waits until the cores are mostly idle, at most `patience` seconds: what
    one engine still does after its answer (compilers, collectors) must not be
    charged to the next."""
    deadline = time.monotonic() + patience
    while (now := time.monotonic()) < deadline:
        before = busy()[0]
        time.sleep(0.03)
        if busy()[0] - before <= 0.2 * (time.monotonic() - now) * os.cpu_count():
            return


def forget_files(folder):
    """Drops the pages of all files below a folder from the page cache, so that
    the next read goes to the disk. Needs no privileges."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)
