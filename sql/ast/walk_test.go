package ast

import (
	"fmt"
	goast "go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
)

// allNodes has one of each kind of node. TestAllNodesComplete compares it with
// the sources.
var allNodes = []Node{
	&Identifier{}, &QualifiedName{},
	&Query{}, &With{}, &NamedQuery{}, &Select{}, &SetOperation{}, &Values{}, &TableBody{}, &SingleColumn{},
	&AllColumns{}, &GroupBy{}, &SimpleGroupBy{}, &GroupingSets{}, &SortItem{}, &Offset{}, &Limit{},
	&FetchFirst{}, &WindowDefinition{}, &WindowSpec{}, &WindowRef{}, &WindowFrame{}, &FrameBound{},
	&Table{}, &QueryPeriod{}, &FileTable{}, &SubqueryRelation{}, &Lateral{}, &Unnest{}, &Join{}, &Aliased{},
	&Sampled{}, &TableFunction{}, &CopartitionGroup{}, &TableFunctionArgument{}, &TableArgument{},
	&Descriptor{}, &DescriptorField{},
	&NullLiteral{}, &BooleanLiteral{}, &StringLiteral{}, &BinaryLiteral{}, &IntegerLiteral{},
	&DecimalLiteral{}, &DoubleLiteral{}, &GenericLiteral{}, &IntervalLiteral{}, &Parameter{},
	&Dereference{}, &Subscript{}, &Row{}, &Array{}, &Unary{}, &Binary{}, &Comparison{},
	&QuantifiedComparison{}, &Logical{}, &Not{}, &Between{}, &InList{}, &InSubquery{}, &Like{}, &IsNull{},
	&IsDistinctFrom{}, &Exists{}, &ScalarSubquery{}, &AtTimeZone{}, &Case{}, &When{}, &Cast{}, &Extract{},
	&Trim{}, &CurrentTime{}, &SessionValue{}, &FunctionCall{}, &Listagg{}, &ListaggOverflow{}, &Lambda{},
	&Grouping{},
	&GenericType{}, &TypeNumber{}, &DateTimeType{}, &RowType{}, &RowField{}, &IntervalType{},
	&Explain{}, &ExplainAnalyze{}, &LikePattern{}, &ShowCatalogs{}, &ShowSchemas{}, &ShowTables{},
	&ShowColumns{}, &ShowFunctions{}, &ShowSession{}, &ShowCreate{}, &ShowStats{}, &ShowGrants{},
	&ShowRoles{}, &ShowRoleGrants{}, &DescribeInput{}, &DescribeOutput{}, &Use{}, &SetSession{},
	&ResetSession{}, &SetTimeZone{}, &SetRole{}, &SetPath{}, &SetSessionAuthorization{},
	&ResetSessionAuthorization{}, &Prepare{}, &Execute{}, &ExecuteImmediate{}, &Deallocate{},
	&StartTransaction{}, &Commit{}, &Rollback{}, &Call{}, &CallArgument{}, &Analyze{},
	&Property{}, &ColumnDefinition{}, &LikeClause{}, &CreateTable{}, &CreateTableAs{}, &DropTable{},
	&Principal{}, &CreateSchema{}, &DropSchema{}, &RenameSchema{}, &CreateCatalog{}, &DropCatalog{},
	&CreateView{}, &CreateMaterializedView{}, &RefreshMaterializedView{}, &DropView{}, &Rename{},
	&AddColumn{}, &RenameColumn{}, &DropColumn{}, &SetColumnType{}, &DropNotNull{}, &SetProperties{},
	&SetAuthorization{}, &TableExecute{}, &CommentOn{}, &Insert{}, &Delete{}, &Truncate{}, &Assignment{},
	&Update{}, &Merge{}, &MergeCase{},
}

// TestAllNodesComplete finds the structs with an embedded Base in the sources.
func TestAllNodesComplete(t *testing.T) {
	listed := map[string]bool{}
	for _, n := range allNodes {
		listed[reflect.TypeOf(n).Elem().Name()] = true
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		for _, name := range nodeTypes(t, f.Name()) {
			if !listed[name] {
				t.Errorf("%s: node type %s is missing in allNodes", f.Name(), name)
			}
		}
	}
}

func nodeTypes(t *testing.T, path string) []string {
	file, err := goparser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	goast.Inspect(file, func(n goast.Node) bool {
		spec, ok := n.(*goast.TypeSpec)
		if !ok {
			return true
		}
		s, ok := spec.Type.(*goast.StructType)
		if !ok {
			return false
		}
		for _, field := range s.Fields.List {
			if id, ok := field.Type.(*goast.Ident); ok && len(field.Names) == 0 && id.Name == "Base" {
				names = append(names, spec.Name.Name)
			}
		}
		return false
	})
	return names
}

// fillers has a node for each interface that a field may have.
var fillers = map[reflect.Type]func() Node{
	reflect.TypeFor[Expression]():      func() Node { return &Identifier{Name: "x"} },
	reflect.TypeFor[Statement]():       func() Node { return &Commit{} },
	reflect.TypeFor[QueryBody]():       func() Node { return &TableBody{Name: Name("t")} },
	reflect.TypeFor[Relation]():        func() Node { return &Table{Name: Name("t")} },
	reflect.TypeFor[SelectItem]():      func() Node { return &AllColumns{} },
	reflect.TypeFor[GroupingElement](): func() Node { return &GroupingSets{} },
	reflect.TypeFor[Window]():          func() Node { return &WindowRef{Name: &Identifier{Name: "w"}} },
	reflect.TypeFor[DataType]():        func() Node { return &IntervalType{From: Day} },
	reflect.TypeFor[TypeArgument]():    func() Node { return &TypeNumber{Value: 1} },
	reflect.TypeFor[TableElement]():    func() Node { return &LikeClause{Table: Name("t")} },
}

// fill sets every field of a node that can hold nodes, and returns those.
func fill(t *testing.T, n Node) []Node {
	var children []Node
	v := reflect.ValueOf(n).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if v.Type().Field(i).Type == reflect.TypeFor[Base]() {
			continue
		}
		typ := field.Type()
		if typ.Kind() == reflect.Slice {
			if child := newChild(typ.Elem()); child != nil {
				field.Set(reflect.Append(reflect.Zero(typ), reflect.ValueOf(child)))
				children = append(children, child)
			}
			continue
		}
		if child := newChild(typ); child != nil {
			field.Set(reflect.ValueOf(child))
			children = append(children, child)
		}
	}
	return children
}

// newChild makes a node that a field of type typ can hold, or nil.
func newChild(typ reflect.Type) Node {
	if f, ok := fillers[typ]; ok {
		return f()
	}
	if typ.Kind() == reflect.Pointer && typ.Implements(reflect.TypeFor[Node]()) {
		return reflect.New(typ.Elem()).Interface().(Node)
	}
	return nil
}

func TestChildrenVisitsEveryField(t *testing.T) {
	for _, proto := range allNodes {
		n := reflect.New(reflect.TypeOf(proto).Elem()).Interface().(Node)
		want := fill(t, n)
		got := map[Node]int{}
		Children(n, func(c Node) { got[c]++ })
		for _, c := range want {
			if got[c] != 1 {
				t.Errorf("%T: child %T visited %d times", n, c, got[c])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%T: %d children visited, want %d", n, len(got), len(want))
		}
	}
}

// TestChildrenOfEmptyNodes checks that optional parts may be missing: none may
// come out as a typed nil.
func TestChildrenOfEmptyNodes(t *testing.T) {
	for _, n := range allNodes {
		Children(n, func(c Node) {
			if v := reflect.ValueOf(c); v.IsNil() {
				// A part that is never missing in a tree from the parser.
				if _, ok := c.(*Identifier); !ok {
					t.Errorf("%T: nil child %T", n, c)
				}
			}
		})
	}
}

func TestInspectStopsAndCounts(t *testing.T) {
	inner := &Query{Body: &Values{Rows: []Expression{&Parameter{Index: 1}}}}
	tree := &Logical{Terms: []Expression{
		&Comparison{Left: &Identifier{Name: "a"}, Right: &Parameter{Index: 0}},
		&Exists{Query: inner},
	}}
	if n := ParameterCount(tree); n != 2 {
		t.Errorf("ParameterCount = %d, want 2", n)
	}
	var seen []string
	Inspect(tree, func(n Node) bool {
		seen = append(seen, strings.TrimPrefix(fmt.Sprintf("%T", n), "*ast."))
		_, isQuery := n.(*Query)
		return !isQuery
	})
	if got, want := strings.Join(seen, " "), "Logical Comparison Identifier Parameter Exists Query"; got != want {
		t.Errorf("Inspect saw %s, want %s", got, want)
	}
}

func TestDeepest(t *testing.T) {
	var e Expression = &IntegerLiteral{Base: At(qerr.Pos{Line: 1, Column: 7}), Value: 1}
	leaf := e
	const levels = 1_000_000 // far more than recursion should be asked to do
	for range levels {
		e = &Unary{Operand: e}
	}
	height, deepest := Deepest(e)
	if height != levels+1 || deepest != Node(leaf) {
		t.Errorf("Deepest = %d, %v", height, deepest.Pos())
	}
	if height, _ := Deepest(leaf); height != 1 {
		t.Errorf("height of a leaf = %d", height)
	}
}
