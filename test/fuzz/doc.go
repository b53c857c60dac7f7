// Package fuzz looks for wrong answers with random SQL. It makes queries that
// are right by their types (Gen), over a few small tables full of nulls,
// duplicates and awkward values (Tables), and checks answers without knowing
// them, by relations that must hold between the answers of related queries:
//
//   - Ternary logic partitioning (Rigger and Su, OOPSLA 2020): the rows of a
//     query are those where p holds, where it does not, and where it is null.
//   - NoREC (Rigger and Su, ESEC/FSE 2020): as many rows pass WHERE p as the
//     unoptimized sum over CASE WHEN p counts.
//   - Settings: batch sizes, numbers of drivers, join distribution, dynamic
//     filters, join order, partial aggregation and where the tables lie
//     (Parquet files or memory) change how a query runs, never its answer.
//
// After each query no memory may be left in use, no slab out of the pool.
// Released slabs are overwritten (mem.Pool.Poison), so uses after release show
// as wrong answers.
//
// The usual test is short. -fuzz.checks and -fuzz.seed make it longer or
// repeat it; each finding is shown as its query, reduced by Reduce.
//
//	go test ./test/fuzz -run TestRelations -fuzz.checks 100000 -fuzz.seed 7
//
// With the build tag duckdb, TestDuckDB compares answers with DuckDB's
// through answer.py:
//
//	go test -tags duckdb ./test/fuzz -run TestDuckDB -fuzz.python /tmp/ref/venv/bin/python
package fuzz
