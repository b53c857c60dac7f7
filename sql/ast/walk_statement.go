package ast

// statement visits the children of queries and of statements that change
// neither data nor definitions.
func (v visitor) statement(n Statement) {
	switch n := n.(type) {
	case *Query:
		maybe(v, n.With)
		v.node(n.Body)
		list(v, n.OrderBy)
		maybe(v, n.Offset)
		maybe(v, n.Limit)
		maybe(v, n.Fetch)
	case *Explain:
		v.node(n.Statement)
	case *ExplainAnalyze:
		v.node(n.Statement)
	case *DescribeInput:
		v.ident(n.Name)
	case *DescribeOutput:
		v.ident(n.Name)
	case *Use:
		v.ident(n.Catalog, n.Schema)
	case *SetSession:
		v.name(n.Name)
		v.node(n.Value)
	case *ResetSession:
		v.name(n.Name)
	case *SetTimeZone:
		v.node(n.Value)
	case *SetRole:
		v.ident(n.Role, n.Catalog)
	case *SetPath:
		list(v, n.Path)
	case *SetSessionAuthorization:
		v.node(n.User)
	case *Prepare:
		v.ident(n.Name)
		v.node(n.Statement)
	case *Execute:
		v.ident(n.Name)
		list(v, n.Params)
	case *ExecuteImmediate:
		v.str(n.SQL)
		list(v, n.Params)
	case *Deallocate:
		v.ident(n.Name)
	case *Call:
		v.name(n.Name)
		list(v, n.Args)
	case *Analyze:
		v.name(n.Table)
		list(v, n.Properties)
	default:
		v.show(n)
	}
}

func (v visitor) show(n Statement) {
	switch n := n.(type) {
	case *ShowCatalogs:
		maybe(v, n.Like)
	case *ShowSchemas:
		v.ident(n.Catalog)
		maybe(v, n.Like)
	case *ShowTables:
		v.name(n.Schema)
		maybe(v, n.Like)
	case *ShowColumns:
		v.name(n.Table)
		maybe(v, n.Like)
	case *ShowFunctions:
		v.name(n.Schema)
		maybe(v, n.Like)
	case *ShowSession:
		maybe(v, n.Like)
	case *ShowCreate:
		v.name(n.Name)
	case *ShowStats:
		v.name(n.Table)
		v.query(n.Query)
	case *ShowGrants:
		v.ident(n.Kind)
		v.name(n.On)
	case *ShowRoles:
		v.ident(n.Catalog)
	case *ShowRoleGrants:
		v.ident(n.Catalog)
	default:
		v.change(n)
	}
}

// change visits the children of statements that change data or tables.
func (v visitor) change(n Statement) {
	switch n := n.(type) {
	case *Insert:
		v.name(n.Table)
		list(v, n.Columns)
		v.query(n.Query)
	case *Delete:
		v.name(n.Table)
		v.node(n.Where)
	case *Truncate:
		v.name(n.Table)
	case *Update:
		v.name(n.Table)
		list(v, n.Assignments)
		v.node(n.Where)
	case *Merge:
		v.name(n.Table)
		v.ident(n.Alias)
		v.node(n.Source, n.On)
		list(v, n.Cases)
	case *Rename:
		v.name(n.Name)
		v.name(n.Target)
	case *AddColumn:
		v.name(n.Table)
		maybe(v, n.Column)
		v.ident(n.After)
	case *RenameColumn:
		v.name(n.Table)
		v.name(n.Column)
		v.ident(n.Target)
	case *DropColumn:
		v.name(n.Table)
		v.name(n.Column)
	case *SetColumnType:
		v.name(n.Table)
		v.name(n.Column)
		v.node(n.Type)
	case *DropNotNull:
		v.name(n.Table)
		v.name(n.Column)
	case *SetProperties:
		v.name(n.Name)
		list(v, n.Properties)
	case *SetAuthorization:
		v.name(n.Name)
		maybe(v, n.Principal)
	case *TableExecute:
		v.name(n.Table)
		v.ident(n.Procedure)
		list(v, n.Args)
		v.node(n.Where)
	case *CommentOn:
		v.name(n.Name)
		v.str(n.Text)
	default:
		v.create(n)
	}
}

func (v visitor) create(n Statement) {
	switch n := n.(type) {
	case *CreateTable:
		v.name(n.Name)
		list(v, n.Elements)
		v.str(n.Comment)
		list(v, n.Properties)
	case *CreateTableAs:
		v.name(n.Name)
		list(v, n.Columns)
		v.str(n.Comment)
		list(v, n.Properties)
		v.query(n.Query)
	case *DropTable:
		v.name(n.Name)
	case *CreateSchema:
		v.name(n.Name)
		maybe(v, n.Authorization)
		list(v, n.Properties)
	case *DropSchema:
		v.name(n.Name)
	case *RenameSchema:
		v.name(n.Name)
		v.ident(n.Target)
	case *CreateCatalog:
		v.ident(n.Name, n.Connector)
		v.str(n.Comment)
		maybe(v, n.Authorization)
		list(v, n.Properties)
	case *DropCatalog:
		v.ident(n.Name)
	case *CreateView:
		v.name(n.Name)
		v.str(n.Comment)
		list(v, n.Properties)
		v.query(n.Query)
	case *CreateMaterializedView:
		v.name(n.Name)
		maybe(v, n.GracePeriod)
		v.str(n.Comment)
		list(v, n.Properties)
		v.query(n.Query)
	case *RefreshMaterializedView:
		v.name(n.Name)
	case *DropView:
		v.name(n.Name)
	}
}

// definition visits the children of the parts of such statements.
func (v visitor) definition(n Node) {
	switch n := n.(type) {
	case *Property:
		v.ident(n.Name)
		v.node(n.Value)
	case *ColumnDefinition:
		v.name(n.Name)
		v.node(n.Type)
		v.str(n.Comment)
		list(v, n.Properties)
	case *LikeClause:
		v.name(n.Table)
	case *RowField:
		v.ident(n.Name)
		v.node(n.Type)
	case *Principal:
		v.ident(n.Name)
	case *LikePattern:
		v.str(n.Escape)
	case *CallArgument:
		v.ident(n.Name)
		v.node(n.Value)
	case *Assignment:
		v.ident(n.Column)
		v.node(n.Value)
	case *MergeCase:
		v.node(n.Condition)
		list(v, n.Assignments)
		list(v, n.Columns)
		list(v, n.Values)
	}
}
