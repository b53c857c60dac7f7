// Package dbgen generates the TPC-H database: the same values, byte for byte,
// as the official dbgen program of the TPC (specification clause 4.2), and so
// the same as Trino's tpch connector. It reads no files and stands on the
// standard library alone.
//
// # How the data is defined
//
// Every column (a few need more than one) draws from its own stream of random
// numbers, a Lehmer generator x' = 16807·x mod 2³¹−1 with a fixed first seed.
// A row uses a fixed budget of draws from each stream, whether it needs them
// or not; the budget of a lineitem stream belongs to the order and allows for
// seven lines. Two things follow, and this package is built on them:
//
//   - The state before row r is seed·16807^(r·budget), a power that takes
//     O(log r) to compute. A scan may start anywhere, so a table can be cut
//     into ranges that are generated in parallel, on different machines.
//   - Streams do not depend on each other. A column that is not asked for
//     costs nothing: its stream is never touched.
//
// # Units
//
// Ranges are counted in units. For most tables a unit is a row; for partsupp
// it is a part (always four rows) and for lineitem an order (one to seven
// rows), because that is what the budgets belong to. See [Generator.Units].
//
// # Using it
//
//	text := dbgen.NewText()
//	gen, err := dbgen.New(0.01, text)
//	s, err := gen.Scan(dbgen.LineItem, []int{dbgen.LPartKey, dbgen.LComment}, 0, gen.Units(dbgen.LineItem))
//	batch := dbgen.NewBatch(4096)
//	for s.Next(batch) {
//		keys := batch.Columns[0].Int64      // one value a row
//		comments := &batch.Columns[1]       // comments.Text(row)
//	}
//
// A [Scanner] belongs to one goroutine; a [Generator] and a [Text] are safe for
// any number of them. After the first batch a scan allocates nothing.
//
// # Comments
//
// Comments are substrings of one fixed 300 MiB text of random English-like
// sentences (clause 4.2.2.14). [Text] holds it as one byte per word, about
// 70 MB in all, made piece by piece when first read, so that a scan that does
// not ask for comments pays nothing, and one that reads five of them pays for
// five pieces of a quarter megabyte. It can be dropped again: [Text.Sweep].
//
// # Speed
//
// One 3 GHz core makes some 20 million rows a second of lineitem without its
// comments, and some 3 million with them: reading the text is waiting for
// memory. The whole text takes 0.5 s of one core to make.
//
// # Where it differs
//
// The official program and its ports agree up to scale factor 10,000 (the part
// keys of some ports overflow 32 bits soon after; here they do not). From 30,000
// on, part and customer keys are drawn by a 64-bit generator whose state is then
// advanced as though it were the 31-bit one, so that rows depend on where each
// chunk of the program's run began. Here an order always has the keys that it
// has when a chunk begins at that order: the one choice that does not depend on
// how a table was cut.
package dbgen
