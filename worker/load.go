package worker

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// heartbeat returns the node's load now.
func (w *Worker) heartbeat() *pb.Heartbeat {
	m := w.manager
	tasks, drivers := m.Running()
	figures := m.d.Store.Figures()
	h := &pb.Heartbeat{
		Draining: m.Draining(), RunningTasks: int32(tasks), RunningDrivers: int32(drivers),
		MemoryUsed: m.d.Account.Used(), RetainedBytes: figures.MemoryBytes + figures.DiskBytes,
		RssBytes: residentBytes(), CpuNanos: cpuNanos(), Goroutines: int64(runtime.NumGoroutine()), OpenFiles: openFiles(),
	}
	if w.d.Slabs != nil {
		h.Slabs = w.d.Slabs()
	}
	for _, q := range m.Queries() {
		h.Queries = append(h.Queries, string(q))
	}
	return h
}

// residentBytes is the process's resident memory; 0 where the system does not
// tell.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// cpuNanos is the processor time that the process has used.
func cpuNanos() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// openFiles is the number of file descriptors in use; 0 where the system does
// not tell.
func openFiles() int64 {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer func() { _ = d.Close() }()
	names, _ := d.Readdirnames(-1)
	return int64(max(len(names)-1, 0)) // without d itself
}
