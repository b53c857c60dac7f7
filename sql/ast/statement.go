package ast

// ExplainType is the TYPE option of EXPLAIN.
type ExplainType uint8

// The types of EXPLAIN. ExplainDefault, no TYPE written, is DISTRIBUTED.
const (
	ExplainDefault ExplainType = iota
	ExplainLogical
	ExplainDistributed
	ExplainValidate
	ExplainIO
)

// String returns the keyword, or "".
func (t ExplainType) String() string {
	return [...]string{"", "LOGICAL", "DISTRIBUTED", "VALIDATE", "IO"}[t]
}

// ExplainFormat is the FORMAT option of EXPLAIN.
type ExplainFormat uint8

// The formats of EXPLAIN. FormatDefault, no FORMAT written, is TEXT, or JSON
// for the type IO.
const (
	FormatDefault ExplainFormat = iota
	FormatText
	FormatGraphviz
	FormatJSON
)

// String returns the keyword, or "".
func (f ExplainFormat) String() string {
	return [...]string{"", "TEXT", "GRAPHVIZ", "JSON"}[f]
}

// Explain is EXPLAIN [(TYPE …, FORMAT …)] statement.
type Explain struct {
	Base
	Type      ExplainType
	Format    ExplainFormat
	Statement Statement
}

// ExplainAnalyze is EXPLAIN ANALYZE [VERBOSE] statement, which runs it.
type ExplainAnalyze struct {
	Base
	Verbose   bool
	Statement Statement
}

// LikePattern is LIKE 'pattern' [ESCAPE 'escape'] of a SHOW statement.
type LikePattern struct {
	Base
	Pattern string
	// Escape is nil when not written.
	Escape *StringLiteral
}

// ShowCatalogs is SHOW CATALOGS [LIKE …].
type ShowCatalogs struct {
	Base
	Like *LikePattern
}

// ShowSchemas is SHOW SCHEMAS [FROM catalog] [LIKE …].
type ShowSchemas struct {
	Base
	Catalog *Identifier
	Like    *LikePattern
}

// ShowTables is SHOW TABLES [FROM schema] [LIKE …].
type ShowTables struct {
	Base
	Schema *QualifiedName
	Like   *LikePattern
}

// ShowColumns is SHOW COLUMNS FROM table [LIKE …], and DESCRIBE table.
type ShowColumns struct {
	Base
	Table *QualifiedName
	Like  *LikePattern
}

// ShowFunctions is SHOW FUNCTIONS [FROM schema] [LIKE …].
type ShowFunctions struct {
	Base
	Schema *QualifiedName
	Like   *LikePattern
}

// ShowSession is SHOW SESSION [LIKE …].
type ShowSession struct {
	Base
	Like *LikePattern
}

// ObjectKind is the kind of object a statement is about.
type ObjectKind uint8

// The kinds of objects.
const (
	ObjectTable ObjectKind = iota
	ObjectView
	ObjectMaterializedView
	ObjectSchema
	ObjectCatalog
	ObjectFunction
	ObjectColumn
)

// String returns the keyword or keywords.
func (k ObjectKind) String() string {
	return [...]string{"TABLE", "VIEW", "MATERIALIZED VIEW", "SCHEMA", "CATALOG", "FUNCTION", "COLUMN"}[k]
}

// ShowCreate is SHOW CREATE TABLE | VIEW | … name.
type ShowCreate struct {
	Base
	Kind ObjectKind
	Name *QualifiedName
}

// ShowStats is SHOW STATS FOR table, or SHOW STATS FOR (query). Exactly one of
// Table and Query is set.
type ShowStats struct {
	Base
	Table *QualifiedName
	Query *Query
}

// ShowGrants is SHOW GRANTS [ON [kind] name].
type ShowGrants struct {
	Base
	// Kind is the word before the name, nil when not written.
	Kind *Identifier
	// On is nil for all objects.
	On *QualifiedName
}

// ShowRoles is SHOW [CURRENT] ROLES [FROM catalog].
type ShowRoles struct {
	Base
	Current bool
	Catalog *Identifier
}

// ShowRoleGrants is SHOW ROLE GRANTS [FROM catalog].
type ShowRoleGrants struct {
	Base
	Catalog *Identifier
}

// DescribeInput is DESCRIBE INPUT name.
type DescribeInput struct {
	Base
	Name *Identifier
}

// DescribeOutput is DESCRIBE OUTPUT name.
type DescribeOutput struct {
	Base
	Name *Identifier
}

// Use is USE [catalog.]schema; Catalog may be nil.
type Use struct {
	Base
	Catalog, Schema *Identifier
}

// SetSession is SET SESSION [catalog.]property = value.
type SetSession struct {
	Base
	Name  *QualifiedName
	Value Expression
}

// ResetSession is RESET SESSION [catalog.]property.
type ResetSession struct {
	Base
	Name *QualifiedName
}

// SetTimeZone is SET TIME ZONE value; Value is nil for LOCAL.
type SetTimeZone struct {
	Base
	Value Expression
}

// RoleKind is the kind of role in SET ROLE.
type RoleKind uint8

// The kinds of roles.
const (
	RoleNamed RoleKind = iota
	RoleAll
	RoleNone
)

// SetRole is SET ROLE name | ALL | NONE [IN catalog].
type SetRole struct {
	Base
	Kind RoleKind
	// Role is set when Kind is RoleNamed.
	Role    *Identifier
	Catalog *Identifier
}

// SetPath is SET PATH [catalog.]schema, …; each element has one or two parts.
type SetPath struct {
	Base
	Path []*QualifiedName
}

// SetSessionAuthorization is SET SESSION AUTHORIZATION user; User is an
// *Identifier or a *StringLiteral.
type SetSessionAuthorization struct {
	Base
	User Expression
}

// ResetSessionAuthorization is RESET SESSION AUTHORIZATION.
type ResetSessionAuthorization struct{ Base }

// Prepare is PREPARE name FROM statement.
type Prepare struct {
	Base
	Name      *Identifier
	Statement Statement
}

// Execute is EXECUTE name [USING value, …].
type Execute struct {
	Base
	Name   *Identifier
	Params []Expression
}

// ExecuteImmediate is EXECUTE IMMEDIATE 'sql' [USING value, …].
type ExecuteImmediate struct {
	Base
	SQL    *StringLiteral
	Params []Expression
}

// Deallocate is DEALLOCATE PREPARE name.
type Deallocate struct {
	Base
	Name *Identifier
}

// TransactionMode is one mode of START TRANSACTION.
type TransactionMode uint8

// The transaction modes.
const (
	ReadUncommitted TransactionMode = iota
	ReadCommitted
	RepeatableRead
	Serializable
	ReadOnly
	ReadWrite
)

// String returns the keywords.
func (m TransactionMode) String() string {
	return [...]string{
		"ISOLATION LEVEL READ UNCOMMITTED", "ISOLATION LEVEL READ COMMITTED",
		"ISOLATION LEVEL REPEATABLE READ", "ISOLATION LEVEL SERIALIZABLE",
		"READ ONLY", "READ WRITE",
	}[m]
}

// StartTransaction is START TRANSACTION [mode, …].
type StartTransaction struct {
	Base
	Modes []TransactionMode
}

// Commit is COMMIT [WORK].
type Commit struct{ Base }

// Rollback is ROLLBACK [WORK].
type Rollback struct{ Base }

// Call is CALL procedure(args).
type Call struct {
	Base
	Name *QualifiedName
	Args []*CallArgument
}

// CallArgument is an argument of CALL; Name is nil unless name => value.
type CallArgument struct {
	Base
	Name  *Identifier
	Value Expression
}

// Analyze is ANALYZE table [WITH (…)].
type Analyze struct {
	Base
	Table      *QualifiedName
	Properties []*Property
}

func (*Explain) statement()                   {}
func (*ExplainAnalyze) statement()            {}
func (*ShowCatalogs) statement()              {}
func (*ShowSchemas) statement()               {}
func (*ShowTables) statement()                {}
func (*ShowColumns) statement()               {}
func (*ShowFunctions) statement()             {}
func (*ShowSession) statement()               {}
func (*ShowCreate) statement()                {}
func (*ShowStats) statement()                 {}
func (*ShowGrants) statement()                {}
func (*ShowRoles) statement()                 {}
func (*ShowRoleGrants) statement()            {}
func (*DescribeInput) statement()             {}
func (*DescribeOutput) statement()            {}
func (*Use) statement()                       {}
func (*SetSession) statement()                {}
func (*ResetSession) statement()              {}
func (*SetTimeZone) statement()               {}
func (*SetRole) statement()                   {}
func (*SetPath) statement()                   {}
func (*SetSessionAuthorization) statement()   {}
func (*ResetSessionAuthorization) statement() {}
func (*Prepare) statement()                   {}
func (*Execute) statement()                   {}
func (*ExecuteImmediate) statement()          {}
func (*Deallocate) statement()                {}
func (*StartTransaction) statement()          {}
func (*Commit) statement()                    {}
func (*Rollback) statement()                  {}
func (*Call) statement()                      {}
func (*Analyze) statement()                   {}
