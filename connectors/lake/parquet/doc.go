// Package parquet reads Parquet files into vectors.
//
// # How a file is read
//
// Open fetches the footer with one ranged read of the file's end and turns it
// into a File: schema, row groups, column chunks, statistics. Footers are
// small, immutable and asked for again and again, so a Cache keeps them by
// bucket, key, size and etag.
//
// A Reader then reads row groups of a File batch by batch:
//
//   - a row group is left out when its statistics, bloom filters or
//     dictionaries show that no row can pass the predicate or a dynamic filter;
//   - so are ranges of rows by the column index, where the file has one;
//   - the chunks of the columns wanted are fetched in few requests, and those
//     of the next row group meanwhile. Of flat columns, pages without a wanted
//     row are left out if the file has an offset index;
//   - the predicate's columns are decoded first, one conjunct after the other.
//     Where a chunk has a dictionary, a conjunct is computed once on its
//     entries and looked up for the rows;
//   - all other columns are lazy vectors. A page that holds no row anybody asks
//     for is neither decompressed nor decoded.
//
// # Pages to vectors
//
// Pages are decoded by this package, straight into vectors (see column).
// Dictionary pages stay dictionaries: a vector is the indices of its rows and
// shares the chunk's dictionary. Long strings are views into the decompressed
// page, which lives until the batch is given up. Fixed-width PLAIN values
// without nulls are the page itself. Nested columns go through repetition
// and definition levels in a slower path (see nested).
//
// # Types
//
// The SQL type of a column follows from its physical and logical type:
//
//	BOOLEAN                          boolean
//	INT32, INT(32)                   integer
//	INT(8), INT(16)                  tinyint, smallint
//	UINT(8), UINT(16), UINT(32)      smallint, integer, bigint
//	INT64                            bigint
//	UINT(64)                         decimal(20,0)
//	FLOAT, DOUBLE, FLOAT16           real, double, real
//	DECIMAL(p,s) on any type         decimal(p,s)
//	DATE                             date
//	TIME(unit)                       time(3), time(6), time(9)
//	TIMESTAMP(unit), local           timestamp(3), (6), (9)
//	TIMESTAMP(unit), adjusted to UTC the same with time zone, in UTC
//	INT96                            timestamp(6), as Spark and Iceberg have it
//	STRING, ENUM                     varchar
//	JSON                             json
//	UUID                             uuid
//	other BYTE_ARRAY and FIXED       varbinary
//	LIST, MAP, group                 array, map, row, in all legacy forms
//
// Only the logical type says that a timestamp is adjusted to UTC: files so old
// that they have the converted type alone say so of every timestamp, and rarely
// mean it, so there it is a plain timestamp.
//
// # Damaged files
//
// Checksums of pages are checked. Nothing in a file is trusted: sizes are checked before memory is taken,
// counts before loops. An error names the file and has the code HIVE_BAD_DATA.
package parquet
