package dbgen

// Table is one of the eight tables of TPC-H (clause 1.4).
type Table uint8

// The tables, from the smallest to the largest.
const (
	Region Table = iota
	Nation
	Supplier
	Customer
	Part
	PartSupp
	Orders
	LineItem
)

// Tables returns all tables in the order of their constants.
func Tables() []Table {
	return []Table{Region, Nation, Supplier, Customer, Part, PartSupp, Orders, LineItem}
}

// ParseTable returns the table with the given lower-case name.
func ParseTable(name string) (Table, bool) {
	for _, t := range Tables() {
		if schema[t].name == name {
			return t, true
		}
	}
	return 0, false
}

// String returns the table's name in the standard's spelling, in lower case.
func (t Table) String() string { return schema[t].name }

// Columns describes the table's columns in the standard's order. Positions in
// this list are what [Generator.Scan] takes. The slice is shared: read only.
func (t Table) Columns() []Column { return schema[t].columns }

// RowsPerUnit returns the most rows that a unit of the table has: 7 for
// lineitem, 4 for partsupp, 1 for the others.
func (t Table) RowsPerUnit() int {
	switch t {
	case LineItem:
		return linesPerOrder
	case PartSupp:
		return suppliersPerPart
	}
	return 1
}

// Kind is a data type of the specification (clause 1.3.1).
type Kind uint8

// The kinds. Trino has Identifier as bigint, Integer as integer, Decimal as
// double or decimal(15,2), Date as date, and both text kinds as varchar(n).
const (
	Identifier Kind = iota // a key; 64 bits from scale factor 300 on
	Integer                // at least −2³¹ … 2³¹−1
	Decimal                // decimal(15,2)
	Date                   // a day
	Char                   // fixed text, size n
	Varchar                // variable text, size n
)

// Layout says which field of a [Vector] holds a column's values.
type Layout uint8

// The layouts.
const (
	// Int64 is Vector.Int64: keys, and decimals as a count of hundredths.
	Int64 Layout = iota
	// Int32 is Vector.Int32: integers, and dates as days since 1970-01-01.
	Int32
	// Codes is Vector.Codes: positions in Column.Values.
	Codes
	// Strings is Vector.Offsets and Vector.Bytes.
	Strings
)

// Column describes a column. No column of TPC-H has NULLs.
type Column struct {
	// Name is the standard's name, such as l_orderkey. Trino's default is
	// the part after the underscore.
	Name string
	// Kind and Size are the type; Size is set for Char and Varchar.
	Kind Kind
	Size int
	// Layout says how a batch holds the values.
	Layout Layout
	// Values is the dictionary of a column of layout Codes, nil otherwise.
	// It is shared by all batches: read only.
	Values []string
}

// Positions of columns in Table.Columns.
const (
	RRegionKey = iota
	RName
	RComment
)

// Columns of nation.
const (
	NNationKey = iota
	NName
	NRegionKey
	NComment
)

// Columns of supplier.
const (
	SSuppKey = iota
	SName
	SAddress
	SNationKey
	SPhone
	SAcctBal
	SComment
)

// Columns of customer.
const (
	CCustKey = iota
	CName
	CAddress
	CNationKey
	CPhone
	CAcctBal
	CMktSegment
	CComment
)

// Columns of part.
const (
	PPartKey = iota
	PName
	PMfgr
	PBrand
	PType
	PSize
	PContainer
	PRetailPrice
	PComment
)

// Columns of partsupp.
const (
	PSPartKey = iota
	PSSuppKey
	PSAvailQty
	PSSupplyCost
	PSComment
)

// Columns of orders.
const (
	OOrderKey = iota
	OCustKey
	OOrderStatus
	OTotalPrice
	OOrderDate
	OOrderPriority
	OClerk
	OShipPriority
	OComment
)

// Columns of lineitem.
const (
	LOrderKey = iota
	LPartKey
	LSuppKey
	LLineNumber
	LQuantity
	LExtendedPrice
	LDiscount
	LTax
	LReturnFlag
	LLineStatus
	LShipDate
	LCommitDate
	LReceiptDate
	LShipInstruct
	LShipMode
	LComment
	numLineColumns
)

type tableSchema struct {
	name    string
	columns []Column
}

func key(name string) Column     { return Column{Name: name, Kind: Identifier, Layout: Int64} }
func integer(name string) Column { return Column{Name: name, Kind: Integer, Layout: Int32} }
func money(name string) Column   { return Column{Name: name, Kind: Decimal, Layout: Int64} }
func day(name string) Column     { return Column{Name: name, Kind: Date, Layout: Int32} }
func fixed(name string, n int) Column {
	return Column{Name: name, Kind: Char, Size: n, Layout: Strings}
}
func varying(name string, n int) Column {
	return Column{Name: name, Kind: Varchar, Size: n, Layout: Strings}
}
func coded(name string, k Kind, n int, values []string) Column {
	return Column{Name: name, Kind: k, Size: n, Layout: Codes, Values: values}
}

// schema is clause 1.4.1. Sizes that the clause calls "at least" are Trino's.
var schema = [...]tableSchema{
	Region: {"region", []Column{
		key("r_regionkey"), coded("r_name", Char, 25, regionNames), varying("r_comment", 152),
	}},
	Nation: {"nation", []Column{
		key("n_nationkey"), coded("n_name", Char, 25, nationNames), key("n_regionkey"),
		varying("n_comment", 152),
	}},
	Supplier: {"supplier", []Column{
		key("s_suppkey"), fixed("s_name", 25), varying("s_address", 40), key("s_nationkey"),
		fixed("s_phone", 15), money("s_acctbal"), varying("s_comment", 101),
	}},
	Customer: {"customer", []Column{
		key("c_custkey"), varying("c_name", 25), varying("c_address", 40), key("c_nationkey"),
		fixed("c_phone", 15), money("c_acctbal"), coded("c_mktsegment", Char, 10, segments),
		varying("c_comment", 117),
	}},
	Part: {"part", []Column{
		key("p_partkey"), varying("p_name", 55), coded("p_mfgr", Char, 25, manufacturers),
		coded("p_brand", Char, 10, brands), coded("p_type", Varchar, 25, partTypes),
		integer("p_size"), coded("p_container", Char, 10, containers),
		money("p_retailprice"), varying("p_comment", 23),
	}},
	PartSupp: {"partsupp", []Column{
		key("ps_partkey"), key("ps_suppkey"), integer("ps_availqty"),
		money("ps_supplycost"), varying("ps_comment", 199),
	}},
	Orders: {"orders", []Column{
		key("o_orderkey"), key("o_custkey"), coded("o_orderstatus", Char, 1, orderStatuses),
		money("o_totalprice"), day("o_orderdate"),
		coded("o_orderpriority", Char, 15, priorities), fixed("o_clerk", 15),
		integer("o_shippriority"), varying("o_comment", 79),
	}},
	LineItem: {"lineitem", []Column{
		key("l_orderkey"), key("l_partkey"), key("l_suppkey"), integer("l_linenumber"),
		money("l_quantity"), money("l_extendedprice"), money("l_discount"), money("l_tax"),
		coded("l_returnflag", Char, 1, returnFlags), coded("l_linestatus", Char, 1, lineStatuses),
		day("l_shipdate"), day("l_commitdate"), day("l_receiptdate"),
		coded("l_shipinstruct", Char, 25, instructions), coded("l_shipmode", Char, 10, shipModes),
		varying("l_comment", 44),
	}},
}
