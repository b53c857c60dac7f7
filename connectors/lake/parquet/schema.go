package parquet

import (
	"math"
	"strings"

	"github.com/tuttidb/tutti/sql/types"
)

// Field is a node of a file's schema as SQL sees it: the groups that Parquet
// puts around lists and maps are folded into one Field.
type Field struct {
	// Name is the field's name in the file, in its own case.
	Name string
	// Type is the SQL type that follows from the file alone.
	Type types.Type
	// Kids are the element of an array, key and value of a map, fields of a row.
	Kids []*Field
	// Leaf is the column of values; nil for nested types.
	Leaf *Leaf

	// def is the definition level from which on the field is not null.
	def int
	// For arrays and maps: elemDef is the level from which on there is an
	// element, and rep the repetition level of a further element.
	elemDef, rep int
}

// Leaf is a column of values in a file.
type Leaf struct {
	// Index is its place among the leaves and in Group.Chunks.
	Index int
	// Path is its dotted name.
	Path string
	Kind Kind
	// Len is the length of a KindFixed value in bytes.
	Len int
	// MaxDef and MaxRep are the definition level of a value that is there, and
	// the highest repetition level.
	MaxDef, MaxRep int
	// Type is the SQL type that follows from the file alone.
	Type types.Type

	logic logic
}

// logic is the meaning of a leaf's values beyond their physical type, as far
// as decoding needs it.
type logic struct {
	kind  logicKind
	unit  int64 // of times and timestamps: units a second
	scale int32 // of decimals
}

type logicKind uint8

const (
	logicNone logicKind = iota
	logicDecimal
	logicUnsigned
	logicTime
	logicTimestamp
	logicFloat16
	logicUUID
)

// Repetition types.
const (
	required = 0
	optional = 1
	repeated = 2
)

// element is a SchemaElement: a node of the schema in the file, which lists
// nodes depth first.
type element struct {
	kind      int // -1: a group
	length    int
	rep       int
	name      string
	kids      int
	converted int // -1: none
	scale     int
	precision int
	logical   int // field number in the LogicalType union; 0: none
	adjusted  bool
	unit      int64 // units a second
	bits      int
	signed    bool
}

// The logical types, as numbered in the union.
const (
	logicalString    = 1
	logicalMap       = 2
	logicalList      = 3
	logicalEnum      = 4
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalJSON      = 12
	logicalUUID      = 14
	logicalFloat16   = 15
)

// readElement reads a SchemaElement.
func readElement(t *thrift, wire byte) element {
	e := element{kind: -1, converted: -1}
	t.structure(wire, func(id int, wire byte) bool {
		switch id {
		case 1:
			e.kind = t.count(wire)
		case 2:
			e.length = t.count(wire)
		case 3:
			e.rep = t.count(wire)
		case 4:
			e.name = string(t.binary(wire))
		case 5:
			e.kids = t.count(wire)
		case 6:
			e.converted = t.count(wire)
		case 7:
			e.scale = t.count(wire)
		case 8:
			e.precision = t.count(wire)
		case 10:
			t.structure(wire, func(id int, wire byte) bool {
				e.logical = id
				return readLogical(t, wire, &e)
			})
		default:
			return false
		}
		return true
	})
	return e
}

// readLogical reads a member of the LogicalType union.
func readLogical(t *thrift, wire byte, e *element) bool {
	switch e.logical {
	case logicalDecimal:
		t.structure(wire, func(id int, wire byte) bool {
			switch id {
			case 1:
				e.scale = t.count(wire)
			case 2:
				e.precision = t.count(wire)
			default:
				return false
			}
			return true
		})
	case logicalTime, logicalTimestamp:
		t.structure(wire, func(id int, wire byte) bool {
			switch id {
			case 1:
				e.adjusted = t.boolean(wire)
			case 2:
				t.structure(wire, func(id int, wire byte) bool {
					e.unit = map[int]int64{1: 1e3, 2: 1e6, 3: 1e9}[id]
					return false
				})
			default:
				return false
			}
			return true
		})
	case logicalInteger:
		t.structure(wire, func(id int, wire byte) bool {
			switch id {
			case 1:
				e.bits = int(t.integer(wire))
			case 2:
				e.signed = t.boolean(wire)
			default:
				return false
			}
			return true
		})
	default:
		return false
	}
	return true
}

// normalize expresses a converted type as the logical type that replaced it.
func (e *element) normalize() {
	if e.logical != 0 || e.converted < 0 {
		return
	}
	switch c := e.converted; c {
	case 0:
		e.logical = logicalString
	case 1, 2:
		e.logical = logicalMap
	case 3:
		e.logical = logicalList
	case 4:
		e.logical = logicalEnum
	case 5:
		e.logical = logicalDecimal
	case 6:
		e.logical = logicalDate
	case 7, 8:
		e.logical, e.unit = logicalTime, []int64{1e3, 1e6}[c-7]
	case 9, 10:
		e.logical, e.unit = logicalTimestamp, []int64{1e3, 1e6}[c-9]
	case 11, 12, 13, 14:
		e.logical, e.bits = logicalInteger, 8<<(c-11)
	case 15, 16, 17, 18:
		e.logical, e.bits, e.signed = logicalInteger, 8<<(c-15), true
	case 19:
		e.logical = logicalJSON
	}
}

// maxLevel bounds definition and repetition levels, which are kept in bytes.
const maxLevel = 100

// treeBuilder turns the list of elements into Fields.
type treeBuilder struct {
	elems  []element
	next   int
	leaves []*Leaf
	path   []string
}

// build makes f.Fields and f.Leaves of the schema.
func (f *File) build(schema []element) error {
	if len(schema) == 0 {
		return corrupt("the footer has no schema")
	}
	b := &treeBuilder{elems: schema, next: 1}
	for range schema[0].kids {
		field, err := b.node(0, 0)
		if err != nil {
			return err
		}
		f.Fields = append(f.Fields, field)
	}
	if b.next != len(schema) {
		return corrupt("the schema has %d nodes that belong to nothing", len(schema)-b.next)
	}
	f.Leaves = b.leaves
	return nil
}

// take returns the next element and enters it; leave must follow.
func (b *treeBuilder) take() (*element, error) {
	if b.next >= len(b.elems) {
		return nil, corrupt("the schema ends too early")
	}
	e := &b.elems[b.next]
	b.next++
	e.normalize()
	b.path = append(b.path, e.name)
	if e.rep > repeated {
		return nil, corrupt("column %q: unknown repetition %d", b.name(), e.rep)
	}
	return e, nil
}

func (b *treeBuilder) leave()       { b.path = b.path[:len(b.path)-1] }
func (b *treeBuilder) name() string { return strings.Join(b.path, ".") }

// node reads the next element and all below it, as it stands within a group
// or the file: repeated means an array without nulls.
func (b *treeBuilder) node(def, rep int) (*Field, error) {
	e, err := b.take()
	if err != nil {
		return nil, err
	}
	defer b.leave()
	if max(def, rep, len(b.path)) >= maxLevel {
		return nil, unsupported("columns nested more than %d deep", maxLevel)
	}
	switch e.rep {
	case optional:
		return b.content(e, def+1, rep)
	case repeated:
		elem, err := b.content(e, def+1, rep+1)
		if err != nil {
			return nil, err
		}
		list := &Field{Name: e.name, Type: types.ArrayOf(elem.Type), Kids: []*Field{elem}}
		list.def, list.elemDef, list.rep = def, def+1, rep+1
		return list, nil
	}
	return b.content(e, def, rep)
}

// content reads what an element holds; def and rep are its own levels.
func (b *treeBuilder) content(e *element, def, rep int) (*Field, error) {
	if e.kind >= 0 && e.kids == 0 {
		return b.leaf(e, def, rep)
	}
	if e.kids == 0 {
		return nil, unsupported("column %q: a group without fields", b.name())
	}
	repeatedKid := b.next < len(b.elems) && b.elems[b.next].rep == repeated
	switch {
	case e.logical == logicalList && e.kids == 1 && repeatedKid:
		return b.list(e, def, rep)
	case e.logical == logicalMap && e.kids == 1 && repeatedKid && b.elems[b.next].kids == 2:
		return b.mapping(e, def, rep)
	}
	return b.row(e, def, rep)
}

// list reads the repeated child of a LIST group. The standard form has three
// levels; older ones lack the middle or the element's group. The rules are
// those of the format's "backward-compatibility rules".
func (b *treeBuilder) list(outer *element, def, rep int) (*Field, error) {
	e, err := b.take()
	if err != nil {
		return nil, err
	}
	defer b.leave()
	var elem *Field
	single := e.kids == 1 && e.name != "array" && e.name != outer.name+"_tuple" &&
		b.next < len(b.elems) && b.elems[b.next].rep != repeated
	if single {
		elem, err = b.node(def+1, rep+1)
	} else {
		elem, err = b.content(e, def+1, rep+1)
	}
	if err != nil {
		return nil, err
	}
	f := &Field{Name: outer.name, Type: types.ArrayOf(elem.Type), Kids: []*Field{elem}}
	f.def, f.elemDef, f.rep = def, def+1, rep+1
	return f, nil
}

func (b *treeBuilder) mapping(outer *element, def, rep int) (*Field, error) {
	if _, err := b.take(); err != nil {
		return nil, err
	}
	defer b.leave()
	key, err := b.node(def+1, rep+1)
	if err != nil {
		return nil, err
	}
	value, err := b.node(def+1, rep+1)
	if err != nil {
		return nil, err
	}
	f := &Field{Name: outer.name, Type: types.MapOf(key.Type, value.Type), Kids: []*Field{key, value}}
	f.def, f.elemDef, f.rep = def, def+1, rep+1
	return f, nil
}

func (b *treeBuilder) row(e *element, def, rep int) (*Field, error) {
	f := &Field{Name: e.name, def: def}
	var kinds []types.Type
	var names []string
	for range e.kids {
		kid, err := b.node(def, rep)
		if err != nil {
			return nil, err
		}
		f.Kids = append(f.Kids, kid)
		kinds, names = append(kinds, kid.Type), append(names, kid.Name)
	}
	f.Type = types.RowOf(kinds, names)
	return f, nil
}

func (b *treeBuilder) leaf(e *element, def, rep int) (*Field, error) {
	l := &Leaf{Index: len(b.leaves), Path: b.name(), Kind: Kind(e.kind), Len: e.length, MaxDef: def, MaxRep: rep}
	if e.kind > int(KindFixed) {
		return nil, corrupt("column %q: unknown physical type %d", l.Path, e.kind)
	}
	if l.Kind == KindFixed && (l.Len == 0 || l.Len > math.MaxInt32/2) {
		return nil, corrupt("column %q: a fixed length of %d bytes", l.Path, l.Len)
	}
	t, err := l.meaning(e)
	if err != nil {
		return nil, inColumn(l.Path, err)
	}
	l.Type = t
	b.leaves = append(b.leaves, l)
	return &Field{Name: e.name, Type: t, Leaf: l, def: def}, nil
}

// meaning finds the leaf's SQL type and sets logic. A logical type that does
// not fit the physical one is ignored, as the format asks of readers.
func (l *Leaf) meaning(e *element) (types.Type, error) {
	if e.logical == logicalDecimal {
		return l.decimal(e)
	}
	switch l.Kind {
	case KindBool:
		return types.Of(types.Boolean), nil
	case KindInt32, KindInt64:
		return l.number(e), nil
	case KindInt96:
		l.logic = logic{kind: logicTimestamp, unit: 1e9}
		return types.TimestampOf(6), nil
	case KindFloat:
		return types.Of(types.Real), nil
	case KindDouble:
		return types.Of(types.Double), nil
	case KindBytes:
		switch e.logical {
		case logicalString, logicalEnum:
			return types.VarcharType(), nil
		case logicalJSON:
			return types.Of(types.JSON), nil
		}
	case KindFixed:
		switch {
		case e.logical == logicalUUID && l.Len == 16:
			l.logic.kind = logicUUID
			return types.Of(types.UUID), nil
		case e.logical == logicalFloat16 && l.Len == 2:
			l.logic.kind = logicFloat16
			return types.Of(types.Real), nil
		}
	}
	return types.Of(types.Varbinary), nil
}

func (l *Leaf) decimal(e *element) (types.Type, error) {
	if e.precision < 1 || e.scale > e.precision {
		return types.Type{}, corrupt("decimal(%d,%d) is not a type", e.precision, e.scale)
	}
	if e.precision > types.MaxDecimal {
		return types.Type{}, unsupported("decimals of more than %d digits", types.MaxDecimal)
	}
	if l.Kind == KindBool || l.Kind == KindInt96 || l.Kind == KindFloat || l.Kind == KindDouble {
		return types.Type{}, corrupt("a decimal stored as %s", l.Kind)
	}
	l.logic = logic{kind: logicDecimal, scale: int32(e.scale)}
	return types.DecimalOf(int32(e.precision), int32(e.scale)), nil
}

// number gives INT32 and INT64 their meaning.
func (l *Leaf) number(e *element) types.Type {
	wide := l.Kind == KindInt64
	digits := map[int64]int32{1e3: 3, 1e6: 6, 1e9: 9}[e.unit]
	switch {
	case e.logical == logicalDate && !wide:
		return types.Of(types.Date)
	case e.logical == logicalTime && digits > 0 && wide == (digits > 3):
		l.logic = logic{kind: logicTime, unit: e.unit}
		return types.TimeOf(digits)
	case e.logical == logicalTimestamp && digits > 0 && wide:
		l.logic = logic{kind: logicTimestamp, unit: e.unit}
		if e.adjusted {
			return types.TimestampTZOf(digits)
		}
		return types.TimestampOf(digits)
	case e.logical == logicalInteger && !e.signed:
		return l.unsigned(e, wide)
	case e.logical == logicalInteger && e.bits == 8 && !wide:
		return types.Of(types.TinyInt)
	case e.logical == logicalInteger && e.bits == 16 && !wide:
		return types.Of(types.SmallInt)
	case wide:
		return types.Of(types.BigInt)
	}
	return types.Of(types.Integer)
}

func (l *Leaf) unsigned(e *element, wide bool) types.Type {
	l.logic.kind = logicUnsigned
	switch {
	case wide:
		return types.DecimalOf(20, 0)
	case e.bits == 8:
		return types.Of(types.SmallInt)
	case e.bits == 16:
		return types.Of(types.Integer)
	}
	return types.Of(types.BigInt)
}
