package chaos

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// Query is a query with a known answer.
type Query struct {
	Name, Catalog, Schema, SQL string
	// Check returns nil if the rows are right.
	Check func(rows [][]string) error
}

// tpchQueries are some of TPC-H's at a scale; none named: all.
func tpchQueries(scale tpch.Scale, names ...string) (out []Query, err error) {
	for _, q := range tpch.Queries() {
		if len(names) > 0 && !strings.Contains(strings.Join(names, " "), q.Name) {
			continue
		}
		answer, err := tpch.Load(scale, q.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, Query{Name: string(scale) + "." + q.Name, Catalog: "s3", Schema: string(scale), SQL: q.SQL, Check: answer.Check})
	}
	return out, nil
}

// single is a query with one row.
func single(name, sql string, want ...string) Query {
	return Query{Name: name, Catalog: "s3", Schema: "sf1", SQL: sql, Check: func(rows [][]string) error {
		if len(rows) != 1 || strings.Join(rows[0], "|") != strings.Join(want, "|") {
			return fmt.Errorf("answer is %v, want %v", rows[:min(len(rows), 3)], want)
		}
		return nil
	}}
}

// generated read no storage but compute for a while: the first for about a
// second of a processor, the second for several.
func generated() []Query {
	const sql = "SELECT count(*), sum(c) FROM (SELECT %s AS k, count(*) AS c FROM tpch.sf1.%s GROUP BY %s)"
	return []Query{
		single("generated.orders", fmt.Sprintf(sql, "custkey", "orders", "custkey"), "99996", "1500000"),
		single("generated.lineitem", fmt.Sprintf(sql, "orderkey", "lineitem", "orderkey"), "1500000", "6001215"),
	}
}

// joined reads and shuffles all of the two large tables.
func joined() Query {
	return single("joined", "SELECT count(*), sum(l_linenumber), count(DISTINCT o_custkey) FROM lineitem, orders WHERE l_orderkey = o_orderkey",
		"6001215", "18007100", "99996")
}

// large has a result of about 25 MB in an order that no rerun of a part
// changes. Its rows are counted and added up.
func large(ctx context.Context, url string) (Query, error) {
	const from = " FROM lineitem WHERE l_orderkey < 600000"
	s, err := slt.NewSession(url, "s3", "sf1")
	if err != nil {
		return Query{}, err
	}
	res, err := s.Query(ctx, "SELECT count(*), sum(l_orderkey), sum(length(l_comment))"+from)
	if err != nil {
		return Query{}, err
	}
	want := strings.Join(res.Rows[0], "|")
	return Query{
		Name: "large", Catalog: "s3", Schema: "sf1", SQL: "SELECT l_orderkey, l_comment" + from + " ORDER BY l_orderkey",
		Check: func(rows [][]string) error {
			keys, length, last := int64(0), 0, int64(-1)
			for i, row := range rows {
				key, err := strconv.ParseInt(row[0], 10, 64)
				if err != nil || key < last {
					return fmt.Errorf("row %d: key %s after %d", i, row[0], last)
				}
				keys, length, last = keys+key, length+len(row[1]), key
			}
			if got := fmt.Sprintf("%d|%d|%d", len(rows), keys, length); got != want {
				return fmt.Errorf("rows, sum and length are %s, want %s", got, want)
			}
			return nil
		},
	}, nil
}
