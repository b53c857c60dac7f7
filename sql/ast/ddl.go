package ast

// Property is name = value of a WITH (…) list; Value is nil for DEFAULT.
type Property struct {
	Base
	Name  *Identifier
	Value Expression
}

// ColumnDefinition is name type [NOT NULL] [COMMENT '…'] [WITH (…)]. In ALTER
// TABLE … ADD COLUMN the name may have several parts, for a field of a row.
type ColumnDefinition struct {
	Base
	Name       *QualifiedName
	Type       DataType
	NotNull    bool
	Comment    *StringLiteral
	Properties []*Property
}

// LikeClause is LIKE table [INCLUDING | EXCLUDING PROPERTIES].
type LikeClause struct {
	Base
	Table *QualifiedName
	// Including is true for INCLUDING PROPERTIES only.
	Including bool
}

// CreateTable is CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name (elements).
type CreateTable struct {
	Base
	OrReplace, IfNotExists bool
	Name                   *QualifiedName
	Elements               []TableElement
	Comment                *StringLiteral
	Properties             []*Property
}

// CreateTableAs is CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name [(columns)]
// AS query [WITH [NO] DATA].
type CreateTableAs struct {
	Base
	OrReplace, IfNotExists bool
	Name                   *QualifiedName
	Columns                []*Identifier
	Comment                *StringLiteral
	Properties             []*Property
	Query                  *Query
	// NoData makes the table empty.
	NoData bool
}

// DropTable is DROP TABLE [IF EXISTS] name.
type DropTable struct {
	Base
	IfExists bool
	Name     *QualifiedName
}

// Principal is [USER | ROLE] name.
type Principal struct {
	Base
	// Kind is "", "USER" or "ROLE".
	Kind string
	Name *Identifier
}

// CreateSchema is CREATE SCHEMA [IF NOT EXISTS] name [AUTHORIZATION p]
// [WITH (…)].
type CreateSchema struct {
	Base
	IfNotExists   bool
	Name          *QualifiedName
	Authorization *Principal
	Properties    []*Property
}

// DropSchema is DROP SCHEMA [IF EXISTS] name [CASCADE | RESTRICT].
type DropSchema struct {
	Base
	IfExists, Cascade bool
	Name              *QualifiedName
}

// RenameSchema is ALTER SCHEMA name RENAME TO target.
type RenameSchema struct {
	Base
	Name   *QualifiedName
	Target *Identifier
}

// CreateCatalog is CREATE CATALOG [IF NOT EXISTS] name USING connector
// [COMMENT '…'] [AUTHORIZATION p] [WITH (…)].
type CreateCatalog struct {
	Base
	IfNotExists     bool
	Name, Connector *Identifier
	Comment         *StringLiteral
	Authorization   *Principal
	Properties      []*Property
}

// DropCatalog is DROP CATALOG [IF EXISTS] name [CASCADE | RESTRICT].
type DropCatalog struct {
	Base
	IfExists, Cascade bool
	Name              *Identifier
}

// ViewSecurity is whose rights a view uses.
type ViewSecurity uint8

// The kinds of view security. SecurityDefault is DEFINER.
const (
	SecurityDefault ViewSecurity = iota
	SecurityDefiner
	SecurityInvoker
)

// CreateView is CREATE [OR REPLACE] VIEW name [COMMENT '…'] [SECURITY …]
// [WITH (…)] AS query.
type CreateView struct {
	Base
	OrReplace  bool
	Name       *QualifiedName
	Comment    *StringLiteral
	Security   ViewSecurity
	Properties []*Property
	Query      *Query
}

// CreateMaterializedView is CREATE [OR REPLACE] MATERIALIZED VIEW
// [IF NOT EXISTS] name [GRACE PERIOD interval] [COMMENT '…'] [WITH (…)]
// AS query.
type CreateMaterializedView struct {
	Base
	OrReplace, IfNotExists bool
	Name                   *QualifiedName
	GracePeriod            *IntervalLiteral
	Comment                *StringLiteral
	Properties             []*Property
	Query                  *Query
}

// RefreshMaterializedView is REFRESH MATERIALIZED VIEW name.
type RefreshMaterializedView struct {
	Base
	Name *QualifiedName
}

// DropView is DROP VIEW or DROP MATERIALIZED VIEW [IF EXISTS] name.
type DropView struct {
	Base
	Materialized, IfExists bool
	Name                   *QualifiedName
}

// Rename is ALTER TABLE | VIEW | MATERIALIZED VIEW [IF EXISTS] name RENAME TO
// target.
type Rename struct {
	Base
	Kind         ObjectKind
	IfExists     bool
	Name, Target *QualifiedName
}

// ColumnPosition is where ADD COLUMN puts a column.
type ColumnPosition uint8

// The positions. PositionDefault is last.
const (
	PositionDefault ColumnPosition = iota
	PositionFirst
	PositionLast
	PositionAfter
)

// AddColumn is ALTER TABLE [IF EXISTS] table ADD COLUMN [IF NOT EXISTS]
// column [FIRST | LAST | AFTER name].
type AddColumn struct {
	Base
	IfExists    bool
	Table       *QualifiedName
	IfNotExists bool
	Column      *ColumnDefinition
	Position    ColumnPosition
	// After is set when Position is PositionAfter.
	After *Identifier
}

// RenameColumn is ALTER TABLE [IF EXISTS] table RENAME COLUMN [IF EXISTS]
// column TO target.
type RenameColumn struct {
	Base
	IfExists       bool
	Table          *QualifiedName
	ColumnIfExists bool
	Column         *QualifiedName
	Target         *Identifier
}

// DropColumn is ALTER TABLE [IF EXISTS] table DROP COLUMN [IF EXISTS] column.
type DropColumn struct {
	Base
	IfExists       bool
	Table          *QualifiedName
	ColumnIfExists bool
	Column         *QualifiedName
}

// SetColumnType is ALTER TABLE [IF EXISTS] table ALTER COLUMN column SET DATA
// TYPE type.
type SetColumnType struct {
	Base
	IfExists bool
	Table    *QualifiedName
	Column   *QualifiedName
	Type     DataType
}

// DropNotNull is ALTER TABLE [IF EXISTS] table ALTER COLUMN column DROP NOT
// NULL.
type DropNotNull struct {
	Base
	IfExists bool
	Table    *QualifiedName
	Column   *QualifiedName
}

// SetProperties is ALTER TABLE | MATERIALIZED VIEW name SET PROPERTIES ….
type SetProperties struct {
	Base
	Kind       ObjectKind
	Name       *QualifiedName
	Properties []*Property
}

// SetAuthorization is ALTER SCHEMA | TABLE | VIEW name SET AUTHORIZATION
// principal.
type SetAuthorization struct {
	Base
	Kind      ObjectKind
	Name      *QualifiedName
	Principal *Principal
}

// TableExecute is ALTER TABLE table EXECUTE procedure [(args)] [WHERE …].
type TableExecute struct {
	Base
	Table     *QualifiedName
	Procedure *Identifier
	Args      []*CallArgument
	Where     Expression
}

// CommentOn is COMMENT ON TABLE | VIEW | COLUMN name IS '…' | NULL; Text is
// nil for NULL.
type CommentOn struct {
	Base
	Kind ObjectKind
	Name *QualifiedName
	Text *StringLiteral
}

// Insert is INSERT INTO table [(columns)] query.
type Insert struct {
	Base
	Table   *QualifiedName
	Columns []*Identifier
	Query   *Query
}

// Delete is DELETE FROM table [WHERE …].
type Delete struct {
	Base
	Table *QualifiedName
	Where Expression
}

// Truncate is TRUNCATE TABLE table.
type Truncate struct {
	Base
	Table *QualifiedName
}

// Assignment is column = value.
type Assignment struct {
	Base
	Column *Identifier
	Value  Expression
}

// Update is UPDATE table SET assignments [WHERE …].
type Update struct {
	Base
	Table       *QualifiedName
	Assignments []*Assignment
	Where       Expression
}

// Merge is MERGE INTO table [AS alias] USING source ON condition cases.
type Merge struct {
	Base
	Table  *QualifiedName
	Alias  *Identifier
	Source Relation
	On     Expression
	Cases  []*MergeCase
}

// MergeAction is what a MergeCase does.
type MergeAction uint8

// The actions of MERGE.
const (
	MergeUpdate MergeAction = iota
	MergeDelete
	MergeInsert
)

// MergeCase is WHEN [NOT] MATCHED [AND condition] THEN action. MergeInsert
// belongs to NOT MATCHED, the others to MATCHED.
type MergeCase struct {
	Base
	Action    MergeAction
	Condition Expression
	// Assignments is for MergeUpdate.
	Assignments []*Assignment
	// Columns (may be empty) and Values are for MergeInsert.
	Columns []*Identifier
	Values  []Expression
}

func (*ColumnDefinition) tableElement()     {}
func (*LikeClause) tableElement()           {}
func (*CreateTable) statement()             {}
func (*CreateTableAs) statement()           {}
func (*DropTable) statement()               {}
func (*CreateSchema) statement()            {}
func (*DropSchema) statement()              {}
func (*RenameSchema) statement()            {}
func (*CreateCatalog) statement()           {}
func (*DropCatalog) statement()             {}
func (*CreateView) statement()              {}
func (*CreateMaterializedView) statement()  {}
func (*RefreshMaterializedView) statement() {}
func (*DropView) statement()                {}
func (*Rename) statement()                  {}
func (*AddColumn) statement()               {}
func (*RenameColumn) statement()            {}
func (*DropColumn) statement()              {}
func (*SetColumnType) statement()           {}
func (*DropNotNull) statement()             {}
func (*SetProperties) statement()           {}
func (*SetAuthorization) statement()        {}
func (*TableExecute) statement()            {}
func (*CommentOn) statement()               {}
func (*Insert) statement()                  {}
func (*Delete) statement()                  {}
func (*Truncate) statement()                {}
func (*Update) statement()                  {}
func (*Merge) statement()                   {}
