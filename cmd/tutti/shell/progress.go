package shell

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/tuttidb/tutti/client"
)

// progressMode is how progress is shown.
type progressMode uint8

const (
	progressOff   progressMode = iota
	progressLine               // one line, drawn over and over
	progressLines              // a line now and then, where Err is no terminal
)

func parseProgress(s string, terminal bool) (progressMode, error) {
	switch s {
	case "", "auto":
		if terminal {
			return progressLine, nil
		}
		return progressOff, nil
	case "on", "true":
		if terminal {
			return progressLine, nil
		}
		return progressLines, nil
	case "off", "false":
		return progressOff, nil
	}
	return progressOff, fmt.Errorf("progress is %q, want auto, on or off", s)
}

// The pace of the progress line: nothing for queries that end at once, then
// smooth enough for the eye.
const (
	progressDelay    = 200 * time.Millisecond
	progressInterval = 100 * time.Millisecond
	plainInterval    = 2 * time.Second
)

// screen joins what is written to one terminal from two sides, results and
// the progress line, so that neither damages the other.
type screen struct {
	mu       sync.Mutex
	out, err io.Writer
	shared   bool // out and err are the same terminal
	drawn    bool // a progress line is on screen
	midLine  bool // the last output did not end its line
}

// Write writes results.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared {
		s.erase()
		s.midLine = len(b) > 0 && b[len(b)-1] != '\n'
	}
	return s.out.Write(b)
}

// message writes whole lines to the message side.
func (s *screen) message(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	_, _ = io.WriteString(s.err, text) // nowhere left to report a failure to
}

// draw replaces the progress line; empty removes it.
func (s *screen) draw(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.midLine {
		return
	}
	s.erase()
	if line != "" {
		_, _ = io.WriteString(s.err, line)
		s.drawn = true
	}
}

func (s *screen) erase() {
	if s.drawn {
		_, _ = io.WriteString(s.err, "\r\x1b[K")
		s.drawn = false
	}
}

// meter shows the progress of one statement until it is stopped.
type meter struct {
	screen *screen
	mode   progressMode
	width  func() int
	start  time.Time
	done   chan struct{}
	ended  chan struct{}
	once   sync.Once

	mu    sync.Mutex
	stats client.Stats
}

func startMeter(s *screen, mode progressMode, width func() int, start time.Time) *meter {
	m := &meter{screen: s, mode: mode, width: width, start: start, done: make(chan struct{}), ended: make(chan struct{})}
	if mode == progressOff {
		close(m.ended)
		return m
	}
	go m.loop()
	return m
}

// update takes fresh figures.
func (m *meter) update(st client.Stats) {
	m.mu.Lock()
	m.stats = st
	m.mu.Unlock()
}

// stop removes the line and waits until nothing more is drawn.
func (m *meter) stop() {
	m.once.Do(func() { close(m.done) })
	<-m.ended
}

func (m *meter) loop() {
	defer close(m.ended)
	wait, every := progressDelay, progressInterval
	if m.mode == progressLines {
		wait, every = plainInterval, plainInterval
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	for tick := 0; ; tick++ {
		select {
		case <-m.done:
			if m.mode == progressLine {
				m.screen.draw("")
			}
			return
		case <-t.C:
			m.show(tick)
			t.Reset(every)
		}
	}
}

func (m *meter) show(tick int) {
	m.mu.Lock()
	st := m.stats
	m.mu.Unlock()
	elapsed := time.Since(m.start)
	if m.mode == progressLines {
		m.screen.message(progressText(st, elapsed, 0) + "\n")
		return
	}
	spin := []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	width := m.width()
	if width <= 0 {
		width = 80
	}
	m.screen.draw(spin[tick%len(spin)] + " " + progressText(st, elapsed, width-3))
}

// progressText is the line itself: state, bar, stages, splits, rows, rate,
// bytes, time. The figures least needed go first where width (0: any) is short.
func progressText(st client.Stats, elapsed time.Duration, width int) string {
	state := st.State
	if state == "" {
		state = "SENDING"
	}
	head := strings.ToLower(state)
	if st.ProgressPercentage != nil {
		head += fmt.Sprintf(" %s %2.0f%%", bar(*st.ProgressPercentage, 12), *st.ProgressPercentage)
	}
	parts := []string{head, duration(elapsed.Round(100 * time.Millisecond))}
	if st.ProcessedRows > 0 {
		parts = append(parts, count(st.ProcessedRows)+" rows", count(rate(st.ProcessedRows, elapsed))+" rows/s")
	}
	if b := max(st.PhysicalInputBytes, st.ProcessedBytes); b > 0 {
		parts = append(parts, bytesText(b))
	}
	if st.TotalSplits > 0 {
		parts = append(parts, fmt.Sprintf("splits %d/%d", st.CompletedSplits, st.TotalSplits))
	}
	if total, done := st.RootStage.Count(); total > 0 {
		parts = append(parts, fmt.Sprintf("stages %d/%d", done, total))
	}
	if st.PeakMemoryBytes > 0 {
		parts = append(parts, "memory "+bytesText(st.PeakMemoryBytes))
	}
	for width > 0 && len(parts) > 1 && textWidth(strings.Join(parts, " · ")) > width {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, " · ")
}

func bar(percent float64, width int) string {
	full := min(max(int(percent/100*float64(width)+0.5), 0), width)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}
