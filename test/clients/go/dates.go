package main

import "regexp"

// dates matches a date as the client renders it: RFC 3339 at midnight.
var dates = regexp.MustCompile(`(\d{4}-\d{2}-\d{2})T00:00:00(?:Z|[+-]\d{2}:\d{2})`)
