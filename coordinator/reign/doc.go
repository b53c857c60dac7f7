// Package reign is how coordinators replace each other before the eyes of
// clients: any coordinator takes any request, one of them answers it, and when
// that one is gone another does, without the client hearing of it.
//
// # Reigns
//
// Package meta says who leads. What lives as long as a leadership is a Reign:
// queries, results, the right to tell workers what to do. It is made when the
// leadership begins, from what was remembered of the reign before, and
// abandoned when the leadership ends: dropped where it stands, with no word to
// workers or clients, for its successor goes on with both.
//
// # The router
//
// A Router is the HTTP handler of a coordinator's process. What is about the
// process itself (health, metrics, the web page's files) it answers alone. All
// else it gives to its own reign, or forwards to the coordinator that leads,
// over a connection of package meta, which both ends have proved themselves
// on. The forwarded request keeps the host that the client asked for, so the
// URIs in answers lead back to where the client came from.
//
// While nobody leads requests are held, not refused: an election takes about a
// second, and few clients try again by themselves. A request that was on its
// way when its leader was lost is sent again to the next one. Most requests
// only read, or may be done twice. A new statement is named by the router: it
// is written down under that name before it begins, so the next leader knows
// it, and says where its rows are, or it never began, and begins now.
//
// The body of a statement's answer is read as a whole before its first byte
// goes out, so that a leader which is lost in the middle of a page leaves no
// half page behind.
//
// # What a client waits for
//
// Requests are held up to Config.Hold (a new statement: HoldStatement). Then
// the answer is 503 with Retry-After, and names the coordinators that do not
// answer: when a majority is gone nobody may lead, and waiting helps only if
// somebody starts them again.
package reign
