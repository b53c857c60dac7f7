// Package client speaks the Trino statement protocol, to Tutti and to Trino
// alike, and offers it in two forms.
//
// The low form is [Client] and [Query]. A statement is one POST; its answer
// names the next page, which is fetched by GET until an answer names none:
//
//	c := &client.Client{BaseURL: "http://localhost:8080", Session: client.NewSession("me")}
//	q, err := c.Execute(ctx, "SELECT name, acctbal FROM tpch.tiny.customer")
//	…
//	defer q.Close()
//	for {
//		rows, err := q.Next(ctx) // one answer of the server: perhaps no rows, fresh Stats
//		if err == io.EOF {
//			break
//		}
//		…
//	}
//
// Values arrive exactly as they stand on the wire (see [Query.Next]) and can
// be turned into Go values with [TypeSignature.Decoder].
//
// The high form is a database/sql driver on top of it: [NewConnector] gives a
// connector for sql.OpenDB. Nothing is registered on import; who wants
// sql.Open calls [Register].
//
// Three habits of the protocol shape the code. Session state lives with the
// client: the server sends changes (USE, SET SESSION, PREPARE, START
// TRANSACTION) as response headers, which [Session] keeps and sends back. A
// page may be fetched again with the same answer, so every GET is retried; a
// POST only where it is known not to have run anything. And a query that
// nobody fetches from is abandoned by the server, so a slow reader sends
// heartbeats, and one that stops early must Close to free the cluster.
package client
