package op

import (
	"math"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// newStatistic returns the state of a variance, covariance or shape function,
// nil if name is none.
func newStatistic(a *mem.Account, name string) accumulator {
	if f, ok := momentResults[name]; ok {
		return &statistic[moments2, *moments2]{account: a, final: f}
	}
	if f, ok := comomentResults[name]; ok {
		return &statistic[comoments, *comoments]{account: a, final: f}
	}
	if f, ok := shapeResults[name]; ok {
		return &statistic[moments4, *moments4]{account: a, final: f}
	}
	return nil
}

// summary is the state of one group: a number of values and moments of them.
// add takes a value (x and y; y alone for functions of one argument), merge
// another summary.
type summary[S any] interface {
	*S
	add(y, x float64)
	merge(o *S)
	// columns returns the count and, in order, the other state columns.
	columns() (n *int64, rest []*float64)
}

// moments2 is the state of variances, updated by Welford's method and merged
// by that of Chan, Golub and LeVeque.
type moments2 struct {
	n        int64
	mean, m2 float64
}

func (s *moments2) add(y, _ float64) {
	s.n++
	d := y - s.mean
	s.mean += d / float64(s.n)
	s.m2 += d * (y - s.mean)
}

func (s *moments2) merge(o *moments2) {
	if o.n == 0 {
		return
	}
	n := float64(s.n + o.n)
	d := o.mean - s.mean
	s.m2 += o.m2 + d*d*float64(s.n)*float64(o.n)/n
	s.mean += d * float64(o.n) / n
	s.n += o.n
}

func (s *moments2) columns() (*int64, []*float64) { return &s.n, []*float64{&s.mean, &s.m2} }

// comoments is the state of functions of y and x.
type comoments struct {
	n                       int64
	meanY, meanX            float64
	cross, squareY, squareX float64 // sums of products of differences
}

func (s *comoments) add(y, x float64) {
	s.n++
	n := float64(s.n)
	dy, dx := y-s.meanY, x-s.meanX
	s.meanY += dy / n
	s.meanX += dx / n
	s.cross += dx * (y - s.meanY)
	s.squareY += dy * (y - s.meanY)
	s.squareX += dx * (x - s.meanX)
}

func (s *comoments) merge(o *comoments) {
	if o.n == 0 {
		return
	}
	n, share := float64(s.n+o.n), float64(s.n)*float64(o.n)/float64(s.n+o.n)
	dy, dx := o.meanY-s.meanY, o.meanX-s.meanX
	s.cross += o.cross + dx*dy*share
	s.squareY += o.squareY + dy*dy*share
	s.squareX += o.squareX + dx*dx*share
	s.meanY += dy * float64(o.n) / n
	s.meanX += dx * float64(o.n) / n
	s.n += o.n
}

func (s *comoments) columns() (*int64, []*float64) {
	return &s.n, []*float64{&s.meanY, &s.meanX, &s.cross, &s.squareY, &s.squareX}
}

// moments4 is the state of skewness and kurtosis: the mean and the sums of
// the differences' second to fourth powers, merged by Pébay's formulas.
type moments4 struct {
	n                int64
	mean, m2, m3, m4 float64
}

func (s *moments4) add(y, _ float64) { s.merge(&moments4{n: 1, mean: y}) }

func (s *moments4) merge(o *moments4) {
	if o.n == 0 {
		return
	}
	na, nb := float64(s.n), float64(o.n)
	n := na + nb
	d := o.mean - s.mean
	dn := d / n
	m4 := o.m4 + d*dn*dn*dn*na*nb*(na*na-na*nb+nb*nb) +
		6*dn*dn*(na*na*o.m2+nb*nb*s.m2) + 4*dn*(na*o.m3-nb*s.m3)
	m3 := o.m3 + d*dn*dn*na*nb*(na-nb) + 3*dn*(na*o.m2-nb*s.m2)
	s.m4 += m4
	s.m3 += m3
	s.m2 += o.m2 + d*dn*na*nb
	s.mean += dn * nb
	s.n += o.n
}

func (s *moments4) columns() (*int64, []*float64) {
	return &s.n, []*float64{&s.mean, &s.m2, &s.m3, &s.m4}
}

// The results of the functions by name; NaN stands for null where the flag is
// false.
var (
	momentResults = map[string]func(*moments2) (float64, bool){
		"stddev":      sampleDeviation,
		"stddev_samp": sampleDeviation,
		"variance":    sampleVariance,
		"var_samp":    sampleVariance,
		"var_pop":     func(s *moments2) (float64, bool) { return s.m2 / float64(s.n), s.n > 0 },
		"stddev_pop":  func(s *moments2) (float64, bool) { return math.Sqrt(s.m2 / float64(s.n)), s.n > 0 },
	}
	comomentResults = map[string]func(*comoments) (float64, bool){
		"covar_pop":  func(s *comoments) (float64, bool) { return s.cross / float64(s.n), s.n > 0 },
		"covar_samp": func(s *comoments) (float64, bool) { return s.cross / float64(s.n-1), s.n > 1 },
		"corr": func(s *comoments) (float64, bool) {
			return finite(s.cross / (math.Sqrt(s.squareX) * math.Sqrt(s.squareY)))
		},
		"regr_slope":     func(s *comoments) (float64, bool) { return finite(s.cross / s.squareX) },
		"regr_intercept": func(s *comoments) (float64, bool) { return finite(s.meanY - s.cross/s.squareX*s.meanX) },
	}
	shapeResults = map[string]func(*moments4) (float64, bool){
		"skewness": func(s *moments4) (float64, bool) {
			return math.Sqrt(float64(s.n)) * s.m3 / math.Pow(s.m2, 1.5), s.n >= 3
		},
		"kurtosis": kurtosis,
	}
)

func finite(x float64) (float64, bool) { return x, !math.IsNaN(x) && !math.IsInf(x, 0) }

func sampleVariance(s *moments2) (float64, bool) { return s.m2 / float64(s.n-1), s.n > 1 }

func sampleDeviation(s *moments2) (float64, bool) {
	v, ok := sampleVariance(s)
	return math.Sqrt(v), ok
}

// kurtosis is the excess kurtosis of a sample, as Trino defines it.
func kurtosis(s *moments4) (float64, bool) {
	n := float64(s.n)
	below := (n - 2) * (n - 3)
	return (n-1)*n*(n+1)/below*s.m4/(s.m2*s.m2) - 3*(n-1)*(n-1)/below, s.n >= 4
}

// statistic keeps a summary for each group.
type statistic[S any, P summary[S]] struct {
	account *mem.Account
	groups  cells[S]
	final   func(*S) (float64, bool)
}

func (s *statistic[S, P]) grow(n int) error { return s.groups.grow(s.account, n) }

func (s *statistic[S, P]) add(f *feed) error {
	last := &f.args[len(f.args)-1]
	if f.args[0].flat.Type.Kind == types.Real {
		s.addReals(f, vector.Values[float32](f.args[0].flat), vector.Values[float32](last.flat))
		return nil
	}
	y, x := vector.Values[float64](f.args[0].flat), vector.Values[float64](last.flat)
	for i, g := range f.groups() {
		P(&s.groups.v[g]).add(y[f.args[0].at(i)], x[last.at(i)])
	}
	return nil
}

func (s *statistic[S, P]) addReals(f *feed, y, x []float32) {
	last := &f.args[len(f.args)-1]
	for i, g := range f.groups() {
		P(&s.groups.v[g]).add(float64(y[f.args[0].at(i)]), float64(x[last.at(i)]))
	}
}

func (s *statistic[S, P]) merge(f *feed) error {
	var in S
	n, rest := P(&in).columns()
	counts := vector.Values[int64](f.args[0].flat)
	for i, g := range f.groups() {
		*n = counts[f.args[0].at(i)]
		for k, p := range rest {
			c := &f.args[k+1]
			*p = vector.Values[float64](c.flat)[c.at(i)]
		}
		P(&s.groups.v[g]).merge(&in)
	}
	return nil
}

func (s *statistic[S, P]) state(list []uint32, out []*vector.Builder) error {
	at := 0
	for _, b := range out {
		var err error
		if at, err = b.Extend(len(list)); err != nil {
			return err
		}
	}
	var one S
	n, rest := P(&one).columns()
	for i, g := range list {
		one = s.groups.v[g]
		vector.Fill[int64](out[0])[at+i] = *n
		for k, p := range rest {
			vector.Fill[float64](out[k+1])[at+i] = *p
		}
	}
	return nil
}

func (s *statistic[S, P]) result(list []uint32, out *vector.Builder) error {
	at, err := out.Extend(len(list))
	if err != nil {
		return err
	}
	for i, g := range list {
		x, ok := s.final(&s.groups.v[g])
		if !ok {
			out.SetNull(at + i)
			x = 0
		}
		if out.Vector().Type.Kind == types.Real {
			vector.Fill[float32](out)[at+i] = float32(x)
		} else {
			vector.Fill[float64](out)[at+i] = x
		}
	}
	return nil
}

func (s *statistic[S, P]) reset()   { s.groups.empty() }
func (s *statistic[S, P]) release() { s.groups.release() }
