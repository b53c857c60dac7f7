// Package exchange moves rows between the tasks of a query.
//
// A producing task writes rows, partition by partition, to an Output, which
// copies them into frames: Arrow record batches of one to four megabytes,
// encoded once and then both retained and served. The Store holds the frames
// of every attempt in memory, and on local disk when memory is full, until
// the coordinator says that nobody will read them again; a producer therefore
// never waits for a consumer, and a consumer that fails can be run again.
//
// A consuming task reads through Inputs: it fetches the partitions that are
// its own from every producing attempt the coordinator names, over Arrow
// Flight or, within a process, by handing the bytes over, a bounded number of
// bytes ahead of its operators. Only the frames of committed attempts reach
// an operator.
package exchange
