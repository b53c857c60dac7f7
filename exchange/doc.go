// Package exchange moves rows between the tasks of a query.
//
// A producing task writes rows, partition by partition, to an Output, which
// copies them into frames: Arrow record batches of up to a few megabytes,
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
//
// # Frames
//
// A frame is a record batch message of Arrow's IPC format: metadata (a
// flatbuffer) and a body of buffers. This package writes and reads both
// itself, for two reasons: values go from the partition's columns to the slab
// that is retained, and from the slab that was received to vectors, with one
// copy on either side; and every length and offset of a received frame is
// checked before it is used, so that no bytes from the network can crash a
// node or make it allocate more than they are. Any Flight client can read the
// frames; see Schema for the types.
//
// # Spare copies
//
// The output of an attempt that has ended may be copied to another node's store
// (Store.Copy), frame by frame as it is, so that it is not lost with its node.
// Both have the same name and the same frames under the same numbers: a reader
// that is told another address for an attempt goes on there with the next frame
// that it has not, or, if it had given the attempt up, begins anew. A copy cannot
// be read before all of it is there and its frames and rows are counted against
// the commit. Nobody else has looked into its frames, so readers check them, also
// those in the same process.
//
// # Who pays for the memory
//
// Rows being collected belong to the producing task's account, retained
// frames to the store's, frames received ahead to the consuming operator's.
package exchange
