package meta

import (
	"context"
	"strconv"
)

// handedOver is the setting that has the epoch whose leader gave its office away
// of its own accord.
const handedOver = "coordinators.handed-over"

// HandOver is Transfer with nothing wrong: it is written down first that the
// leadership ends as it should. It may be called on any node.
func (n *Node) HandOver(ctx context.Context, to string) error {
	if id, _ := n.Leader(); id != "" && id == to {
		return n.Transfer(ctx, to) // nothing ends
	}
	if err := n.Resign(ctx); err != nil {
		n.cfg.Log.Debug("write down that the leadership is handed over", "node", n.cfg.ID, "error", err)
	}
	err := n.Transfer(ctx, to)
	if err != nil && n.ctx.Err() == nil {
		n.wait.Go(n.stay)
	}
	return err
}

// stay takes back that the leadership is handed over, as nobody took it: if it is
// lost later on, that is a loss. Where this cannot be written one loss is not
// counted as such.
func (n *Node) stay() {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Apply) // in vain while the office is still being offered
	defer cancel()
	if _, err := n.Apply(ctx, SetSetting(handedOver, "")); err != nil {
		n.cfg.Log.Debug("write down that the leadership goes on", "node", n.cfg.ID, "error", err)
	}
}

// Resign writes down that the leadership is about to end with nothing wrong: it
// is handed over, or a cluster of one ends. See Leadership.HandedOver.
func (n *Node) Resign(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Call)
	defer cancel()
	epoch := n.Epoch()
	if epoch == 0 { // another node leads
		s, err := n.Read(ctx)
		if err != nil {
			return err
		}
		epoch = s.Epoch
	}
	_, err := n.Apply(ctx, SetSetting(handedOver, strconv.FormatUint(epoch, 10)))
	return err
}

// resigned reports whether the newest leader wrote down that it gives its office
// away. A leader before it may have written that too.
func (s *State) resigned() bool {
	text, _ := s.Setting(handedOver)
	return text == strconv.FormatUint(s.Epoch, 10)
}
