// Command checks is the acceptance of the unmodified Go client of Trino.
//
// Arguments: server URL, folder of TPC-H queries, 1 if tables may be made in
// the catalog memory, the catalog whose schema tiny has TPC-H under the
// standard's names. With "failover" before a server URL and a folder of queries
// it is a load for failover.sh instead.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/trinodb/trino-go-client/trino"
)

const name = "go"

var failed = 0 // of all checks so far

// check runs one check and prints its line.
func check(what string, body func() error) {
	if err := body(); err != nil {
		failed++
		fmt.Printf("FAIL %s: %s: %s\n", name, what, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	fmt.Printf("ok   %s: %s\n", name, what)
}

func equal(want, got any) error {
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("got %v (%T), want %v (%T)", got, got, want, want)
	}
	return nil
}

// open returns a pool for a server URL such as http://127.0.0.1:8080.
func open(server, catalog, schema string, options ...string) *sql.DB {
	u, err := url.Parse(server)
	if err != nil {
		log.Fatal(err) // a wrong argument: nothing can be checked
	}
	u.User = url.User("go")
	q := url.Values{"catalog": {catalog}, "schema": {schema}}
	for i := 0; i < len(options); i += 2 {
		q.Set(options[i], options[i+1])
	}
	u.RawQuery = q.Encode()
	db, err := sql.Open("trino", u.String())
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// rows returns a query's rows as texts joined by "|".
func rows(db *sql.DB, query string, args ...any) ([]string, error) {
	r, err := db.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	columns, err := r.Columns()
	if err != nil {
		return nil, err
	}
	var all []string
	for r.Next() {
		values := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := r.Scan(targets...); err != nil {
			return nil, err
		}
		texts := make([]string, len(columns))
		for i, v := range values {
			texts[i] = v.String
			if !v.Valid {
				texts[i] = "NULL"
			}
		}
		all = append(all, strings.Join(texts, "|"))
	}
	return all, r.Err()
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "failover" {
		if err := failover(os.Args[2], os.Args[3]); err != nil {
			log.Fatal(err)
		}
		return
	}
	server, tpch, writes, data := os.Args[1], os.Args[2], os.Args[3] == "1", os.Args[4]
	db := open(server, "tpch", "tiny")
	checkSelect(db)
	checkTypes(db)
	checkParameters(server, db)
	checkErrors(db)
	checkSession(server)
	checkCancel(db)
	checkLoad(server)
	if writes {
		checkWrites(open(server, "memory", "default"))
	}
	checkTPCH(open(server, data, "tiny"), tpch)
	fmt.Println("done " + name)
	if failed > 0 {
		os.Exit(1)
	}
}

func checkSelect(db *sql.DB) {
	check("ping", db.Ping)
	check("select", func() error {
		got, err := rows(db, "SELECT nationkey, name, CAST(NULL AS bigint) FROM nation WHERE nationkey < 2 ORDER BY 1")
		return errors.Join(err, equal([]string{"0|ALGERIA|NULL", "1|ARGENTINA|NULL"}, got))
	})
	check("60,175 rows", func() error {
		got, err := rows(db, "SELECT orderkey, comment FROM lineitem")
		return errors.Join(err, equal(60175, len(got)))
	})
	check("empty result", func() error {
		got, err := rows(db, "SELECT name FROM nation WHERE nationkey < 0")
		return errors.Join(err, equal(0, len(got)))
	})
	check("closed early", func() error {
		for range 5 {
			r, err := db.Query("SELECT * FROM lineitem")
			if err != nil {
				return err
			}
			r.Next()
			if err := r.Close(); err != nil {
				return err
			}
		}
		got, err := rows(db, "SELECT count(*) FROM nation")
		return errors.Join(err, equal([]string{"25"}, got))
	})
	check("show catalogs, schemas, tables, columns", func() error {
		catalogs, err := rows(db, "SHOW CATALOGS")
		tables, err2 := rows(db, "SHOW TABLES FROM tpch.tiny")
		columns, err3 := rows(db, "SHOW COLUMNS FROM region")
		schemas, err4 := rows(db, "SHOW SCHEMAS FROM tpch LIKE 'tiny'")
		var err5 error
		if !strings.Contains(strings.Join(catalogs, " "), "tpch tpchstd") {
			err5 = fmt.Errorf("catalogs are %v", catalogs)
		}
		return errors.Join(err, err2, err3, err4, err5, equal(8, len(tables)), equal([]string{"tiny"}, schemas),
			equal([]string{"regionkey|bigint||", "name|varchar(25)||", "comment|varchar(152)||"}, columns))
	})
}

func checkTypes(db *sql.DB) {
	for _, c := range []struct {
		expression string
		want       any
	}{
		{"true", true},
		{"TINYINT '-5'", int32(-5)},
		{"7", int32(7)},
		{"BIGINT '9223372036854775807'", int64(math.MaxInt64)},
		{"REAL '1.5'", float32(1.5)},
		{"1.5E0", 1.5},
		{"infinity()", math.Inf(1)},
		{"DECIMAL '-12345678901234567890.12'", "-12345678901234567890.12"},
		{"'text é'", "text é"},
		{"''", ""},
		{"DATE '2024-02-29'", time.Date(2024, 2, 29, 0, 0, 0, 0, time.Local)},
		{"TIMESTAMP '2024-02-29 12:34:56.789'", time.Date(2024, 2, 29, 12, 34, 56, 789e6, time.Local)},
		{"X'00FF'", []byte{0, 255}},
		{"CAST(NULL AS bigint)", nil},
		{"ARRAY[1, NULL]", []any{nil, nil}},
	} {
		expression, want := c.expression, c.want
		check("type: "+expression, func() error {
			var got any
			if err := db.QueryRow("SELECT " + expression).Scan(&got); err != nil {
				return err
			}
			if a, ok := got.([]any); ok && strings.HasPrefix(expression, "ARRAY") {
				return equal(2, len(a))
			}
			if n, ok := got.(interface{ Int64() (int64, error) }); ok {
				i, err := n.Int64()
				return errors.Join(err, equal(fmt.Sprint(want), fmt.Sprint(i)))
			}
			if w, ok := want.(time.Time); ok {
				g, ok := got.(time.Time)
				if !ok || g.Format(time.DateTime) != w.Format(time.DateTime) {
					return fmt.Errorf("got %v, want %v", got, want)
				}
				return nil
			}
			return equal(fmt.Sprint(want), fmt.Sprint(got))
		})
	}
	check("column types", func() error {
		r, err := db.Query("SELECT 1 AS a, DECIMAL '1.50' AS b, 'x' AS c")
		if err != nil {
			return err
		}
		defer r.Close()
		types, err := r.ColumnTypes()
		if err != nil {
			return err
		}
		precision, scale, ok := types[1].DecimalSize()
		length, _ := types[2].Length()
		return errors.Join(equal("INTEGER", types[0].DatabaseTypeName()), equal(true, ok), equal(int64(3), precision),
			equal(int64(2), scale), equal(int64(1), length))
	})
}

func checkParameters(server string, db *sql.DB) {
	query := "SELECT name FROM nation WHERE regionkey IN (?, ?) AND name <> ? ORDER BY name LIMIT ?"
	check("parameters through EXECUTE", func() error {
		got, err := rows(db, query, 0, 1, "O'X é", 2)
		return errors.Join(err, equal([]string{"ALGERIA", "ARGENTINA"}, got))
	})
	check("parameters through EXECUTE IMMEDIATE", func() error {
		immediate := open(server, "tpch", "tiny", "explicitPrepare", "false")
		got, err := rows(immediate, query, 0, 1, "O'X é", 2)
		return errors.Join(err, equal([]string{"ALGERIA", "ARGENTINA"}, got))
	})
	check("parameters of all types", func() error {
		got, err := rows(db, "SELECT ?, ?, ?, ?, ? = DECIMAL '1.50', ? = DATE '2024-02-29'",
			int64(3), "it's", true, nil, trino.Numeric("1.50"), trino.Date(2024, 2, 29))
		return errors.Join(err, equal([]string{"3|it's|true|NULL|true|true"}, got))
	})
	check("prepared statement executed again", func() error {
		statement, err := db.Prepare("SELECT name FROM nation WHERE nationkey = ?")
		if err != nil {
			return err
		}
		defer statement.Close()
		for key, want := range []string{"ALGERIA", "ARGENTINA", "BRAZIL"} {
			var got string
			if err := statement.QueryRow(key).Scan(&got); err != nil || got != want {
				return fmt.Errorf("got %s, want %s: %w", got, want, err)
			}
		}
		return nil
	})
}

func checkErrors(db *sql.DB) {
	for _, c := range [][2]string{
		{"SELEC 1", "1 SYNTAX_ERROR 1:1"},
		{"SELECT nosuch FROM nation", "47 COLUMN_NOT_FOUND 1:8"},
		{"SELECT * FROM nosuch", "46 TABLE_NOT_FOUND 1:15"},
		{"SELECT 1 / 0", "8 DIVISION_BY_ZERO 0:0"},
	} {
		query, want := c[0], c[1]
		check("error: "+query, func() error {
			_, err := rows(db, query)
			var e *trino.ErrTrino
			var v trino.ErrTrino
			switch {
			case errors.As(err, &e):
			case errors.As(err, &v):
				e = &v
			default:
				return fmt.Errorf("error is %v", err)
			}
			return equal(want, fmt.Sprintf("%d %s %d:%d", e.ErrorCode, e.ErrorName, e.ErrorLocation.LineNumber, e.ErrorLocation.ColumnNumber))
		})
	}
}

func checkSession(server string) {
	check("session properties, time zone, tags", func() error {
		db := open(server, "tpch", "tiny", "session_properties", "query_max_run_time:7m", "source", "check", "clientTags", "a,b")
		got, err := rows(db, "SHOW SESSION LIKE 'query_max_run_time'")
		if err != nil || len(got) != 1 {
			return fmt.Errorf("got %v: %w", got, err)
		}
		return equal("7m", strings.Split(got[0], "|")[1])
	})
	check("USE on one connection", func() error {
		c, err := open(server, "tpch", "tiny").Conn(context.Background())
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.ExecContext(context.Background(), "USE tpchstd.tiny"); err != nil {
			return err
		}
		var got string
		err = c.QueryRowContext(context.Background(), "SELECT n_name FROM nation WHERE n_nationkey = 18").Scan(&got)
		return errors.Join(err, equal("CHINA", got))
	})
	check("transaction", func() error {
		tx, err := open(server, "tpch", "tiny").BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM nation").Scan(&n); err != nil {
			return err
		}
		return errors.Join(equal(25, n), tx.Commit())
	})
}

func checkCancel(db *sql.DB) {
	check("cancel by context", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		start := time.Now()
		var n int64
		err := db.QueryRowContext(ctx, "SELECT count(*) FROM lineitem a CROSS JOIN lineitem b CROSS JOIN orders c"+
			" WHERE a.comment <> b.comment || c.comment").Scan(&n)
		if err == nil {
			return errors.New("it ended by itself")
		}
		if took := time.Since(start); took > 15*time.Second {
			return fmt.Errorf("canceling took %s", took)
		}
		got, err := rows(db, "SELECT count(*) FROM nation")
		return errors.Join(err, equal([]string{"25"}, got))
	})
}

func checkWrites(db *sql.DB) {
	check("write: create, insert, read, drop", func() error {
		var all error
		for _, statement := range []string{"DROP TABLE IF EXISTS go_check", "CREATE TABLE go_check (a bigint, b varchar)"} {
			_, err := db.Exec(statement)
			all = errors.Join(all, err)
		}
		result, err := db.Exec("INSERT INTO go_check VALUES (?, ?), (2, NULL)", 1, "x")
		if err != nil {
			return errors.Join(all, err)
		}
		n, err := result.RowsAffected()
		all = errors.Join(all, err, equal(int64(2), n))
		got, err := rows(db, "SELECT * FROM go_check ORDER BY a")
		_, err2 := db.Exec("DROP TABLE go_check")
		return errors.Join(all, err, err2, equal([]string{"1|x", "2|NULL"}, got))
	})
}

func checkTPCH(db *sql.DB, folder string) {
	for i := 1; i <= 22; i++ {
		query := fmt.Sprintf("q%02d", i)
		check("tpch "+query, func() error {
			text, err := os.ReadFile(filepath.Join(folder, query+".sql"))
			if err != nil {
				return err
			}
			answer, err := os.ReadFile(filepath.Join(folder, "answers", "tiny", query+".csv"))
			if err != nil {
				return err
			}
			got, err := rows(db, string(text))
			if err != nil {
				return err
			}
			want := strings.Split(strings.TrimSpace(string(answer)), "\n")[1:]
			// The client turns dates into points in time with a zone.
			for k := range got {
				got[k] = dates.ReplaceAllString(got[k], "$1")
			}
			return equal(want, got)
		})
	}
}
