package types

import (
	"sort"
	"strings"
	"sync/atomic"
	"time"
	_ "time/tzdata" // the zones must be the same on every node, whatever its system has
)

// A zone key names a time zone in the Hi word of a timestamp with time zone.
// Keys from -840 to 840 are fixed offsets in minutes, 0 is UTC, and from
// firstNamed on they are the places in zoneNames, so a key means the same in
// every process.
const (
	// UTCZone is the key of UTC.
	UTCZone    int64 = 0
	maxOffset        = 14 * 60
	firstNamed       = 1 << 16
)

// zoneList is zoneNames taken apart; zoneOrder are its places by name.
var (
	zoneList  = strings.Fields(zoneNames)
	zoneOrder = func() []int {
		order := make([]int, len(zoneList))
		for i := range order {
			order[i] = i
		}
		sort.Slice(order, func(a, b int) bool { return zoneList[order[a]] < zoneList[order[b]] })
		return order
	}()
	// locations remembers what LoadLocation has parsed.
	locations = make([]atomic.Pointer[time.Location], len(zoneList))
)

// utcNames are other spellings of UTC, which all print as UTC.
const utcNames = " UTC Z GMT UT UCT Zulu Universal Greenwich GMT0 Etc/UTC Etc/GMT Etc/UCT Etc/GMT0 Etc/GMT+0 Etc/GMT-0 Etc/Universal Etc/Zulu Etc/Greenwich GMT+0 GMT-0 UTC+0 UTC-0 "

// ZoneByName returns the key of a zone given by its region ("Europe/Berlin")
// or offset ("+05:30", "-08", "UTC+5"; "Etc/GMT+5" means -05:00, as POSIX has
// it).
func ZoneByName(name string) (key int64, ok bool) {
	if strings.Contains(utcNames, " "+name+" ") && name != "" {
		return UTCZone, true
	}
	if key, ok := zoneOffsetKey(name); ok {
		return key, true
	}
	if i := findZone(name); i >= 0 {
		return firstNamed + int64(i), true
	}
	return 0, false
}

func findZone(name string) int {
	i := sort.Search(len(zoneOrder), func(i int) bool { return zoneList[zoneOrder[i]] >= name })
	if i < len(zoneOrder) && zoneList[zoneOrder[i]] == name {
		return zoneOrder[i]
	}
	return -1
}

// zoneOffsetKey reads [UTC|GMT|UT]±H[H][[:]MM].
func zoneOffsetKey(s string) (int64, bool) {
	posix := strings.HasPrefix(s, "Etc/")
	for _, prefix := range []string{"Etc/GMT", "UTC", "GMT", "UT"} {
		if strings.HasPrefix(s, prefix) {
			s = s[len(prefix):]
			break
		}
	}
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	sc := scanner{s: []byte(s[1:]), ok: true}
	h, m := sc.number(1, 2), int64(0)
	if sc.take(':') || len(sc.s) == 2 {
		m = sc.number(2, 2)
	}
	off := h*60 + m
	if !sc.ok || len(sc.s) > 0 || m > 59 || off > maxOffset {
		return 0, false
	}
	if (s[0] == '-') != posix {
		off = -off
	}
	return off, true
}

// OffsetZone returns the key of a fixed offset in minutes, at most 14 hours.
func OffsetZone(minutes int64) (key int64, ok bool) {
	return minutes, minutes >= -maxOffset && minutes <= maxOffset
}

// ZoneName returns the name of a zone key.
func ZoneName(key int64) string {
	switch {
	case key == UTCZone:
		return "UTC"
	case key >= firstNamed && key < firstNamed+int64(len(zoneList)):
		return zoneList[key-firstNamed]
	}
	sign, m := byte('+'), key
	if key < 0 {
		sign, m = '-', -key
	}
	return string([]byte{sign, byte('0' + m/600%10), byte('0' + m/60%10), ':', byte('0' + m/10%6), byte('0' + m%10)})
}

// ZoneOffset returns the seconds east of UTC in a zone at an instant (seconds
// since the epoch).
func ZoneOffset(key, sec int64) int64 {
	if key < firstNamed {
		return key * 60
	}
	_, off := time.Unix(sec, 0).In(ZoneLocation(key)).Zone()
	return int64(off)
}

// ZoneLocation returns the Go location of a zone key; an unknown key is UTC.
func ZoneLocation(key int64) *time.Location {
	i := key - firstNamed
	switch {
	case key == UTCZone || i >= int64(len(zoneList)):
		return time.UTC
	case i < 0:
		return time.FixedZone(ZoneName(key), int(key*60))
	}
	if loc := locations[i].Load(); loc != nil {
		return loc
	}
	loc, err := time.LoadLocation(zoneList[i])
	if err != nil {
		loc = time.UTC // a name of our own list that tzdata lacks; a test rules it out
	}
	locations[i].Store(loc)
	return loc
}
