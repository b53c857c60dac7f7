package ast

// change writes statements that change data or tables.
func (p *printer) change(s Statement) {
	switch s := s.(type) {
	case *Insert:
		p.put("INSERT INTO ")
		p.name(s.Table)
		p.aliases(s.Columns)
		p.put(" ")
		p.query(s.Query)
	case *Delete:
		p.put("DELETE FROM ")
		p.name(s.Table)
		p.where(s.Where)
	case *Truncate:
		p.put("TRUNCATE TABLE ")
		p.name(s.Table)
	case *Update:
		p.put("UPDATE ")
		p.name(s.Table)
		p.put(" SET ")
		commas(p, s.Assignments, p.assignment)
		p.where(s.Where)
	case *Merge:
		p.merge(s)
	case *CommentOn:
		p.put("COMMENT ON ", s.Kind.String(), " ")
		p.name(s.Name)
		p.put(" IS ")
		if s.Text == nil {
			p.put("NULL")
			return
		}
		p.put(QuoteString(s.Text.Value))
	default:
		p.alter(s)
	}
}

func (p *printer) where(cond Expression) {
	if cond != nil {
		p.put(" WHERE ")
		p.expr(cond, precLowest)
	}
}

func (p *printer) merge(s *Merge) {
	p.put("MERGE INTO ")
	p.name(s.Table)
	if s.Alias != nil {
		p.put(" AS ")
		p.ident(s.Alias)
	}
	p.put(" USING ")
	p.relation(s.Source)
	p.put(" ON ")
	p.expr(s.On, precLowest)
	for _, c := range s.Cases {
		p.put(" ")
		p.mergeCase(c)
	}
}

func (p *printer) mergeCase(c *MergeCase) {
	p.put("WHEN ")
	p.when(c.Action == MergeInsert, "NOT ")
	p.put("MATCHED")
	if c.Condition != nil {
		p.put(" AND ")
		p.expr(c.Condition, precLowest)
	}
	switch c.Action {
	case MergeUpdate:
		p.put(" THEN UPDATE SET ")
		commas(p, c.Assignments, p.assignment)
	case MergeDelete:
		p.put(" THEN DELETE")
	case MergeInsert:
		p.put(" THEN INSERT")
		p.aliases(c.Columns)
		p.put(" VALUES (")
		p.exprs(c.Values)
		p.put(")")
	}
}

func (p *printer) assignment(a *Assignment) {
	p.ident(a.Column)
	p.put(" = ")
	p.expr(a.Value, precLowest)
}

// alterTable writes the start of ALTER TABLE.
func (p *printer) alterTable(ifExists bool, table *QualifiedName) {
	p.put("ALTER TABLE ")
	p.when(ifExists, "IF EXISTS ")
	p.name(table)
}

func (p *printer) alter(s Statement) {
	switch s := s.(type) {
	case *Rename:
		p.put("ALTER ", s.Kind.String(), " ")
		p.when(s.IfExists, "IF EXISTS ")
		p.name(s.Name)
		p.put(" RENAME TO ")
		p.name(s.Target)
	case *RenameSchema:
		p.put("ALTER SCHEMA ")
		p.name(s.Name)
		p.put(" RENAME TO ")
		p.ident(s.Target)
	case *SetProperties:
		p.put("ALTER ", s.Kind.String(), " ")
		p.name(s.Name)
		p.put(" SET PROPERTIES ")
		commas(p, s.Properties, p.property)
	case *SetAuthorization:
		p.put("ALTER ", s.Kind.String(), " ")
		p.name(s.Name)
		p.put(" SET AUTHORIZATION ")
		p.definition(s.Principal)
	case *TableExecute:
		p.alterTable(false, s.Table)
		p.put(" EXECUTE ")
		p.ident(s.Procedure)
		p.callArguments(s.Args)
		p.where(s.Where)
	case *AddColumn:
		p.addColumn(s)
	case *RenameColumn, *DropColumn, *SetColumnType, *DropNotNull:
		p.alterColumn(s)
	default:
		p.create(s)
	}
}

func (p *printer) addColumn(s *AddColumn) {
	p.alterTable(s.IfExists, s.Table)
	p.put(" ADD COLUMN ")
	p.when(s.IfNotExists, "IF NOT EXISTS ")
	p.definition(s.Column)
	switch s.Position {
	case PositionFirst:
		p.put(" FIRST")
	case PositionLast:
		p.put(" LAST")
	case PositionAfter:
		p.put(" AFTER ")
		p.ident(s.After)
	}
}

func (p *printer) alterColumn(s Statement) {
	switch s := s.(type) {
	case *RenameColumn:
		p.alterTable(s.IfExists, s.Table)
		p.put(" RENAME COLUMN ")
		p.when(s.ColumnIfExists, "IF EXISTS ")
		p.name(s.Column)
		p.put(" TO ")
		p.ident(s.Target)
	case *DropColumn:
		p.alterTable(s.IfExists, s.Table)
		p.put(" DROP COLUMN ")
		p.when(s.ColumnIfExists, "IF EXISTS ")
		p.name(s.Column)
	case *SetColumnType:
		p.alterTable(s.IfExists, s.Table)
		p.put(" ALTER COLUMN ")
		p.name(s.Column)
		p.put(" SET DATA TYPE ")
		p.dataType(s.Type)
	case *DropNotNull:
		p.alterTable(s.IfExists, s.Table)
		p.put(" ALTER COLUMN ")
		p.name(s.Column)
		p.put(" DROP NOT NULL")
	}
}

// createHead writes CREATE [OR REPLACE] kind [IF NOT EXISTS].
func (p *printer) createHead(kind string, orReplace, ifNotExists bool) {
	p.put("CREATE ")
	p.when(orReplace, "OR REPLACE ")
	p.put(kind, " ")
	p.when(ifNotExists, "IF NOT EXISTS ")
}

func (p *printer) create(s Statement) {
	switch s := s.(type) {
	case *CreateTable:
		p.createHead("TABLE", s.OrReplace, s.IfNotExists)
		p.name(s.Name)
		p.put(" (")
		commas(p, s.Elements, func(e TableElement) { p.definition(e) })
		p.put(")")
		p.comment(s.Comment)
		p.properties(s.Properties)
	case *CreateTableAs:
		p.createHead("TABLE", s.OrReplace, s.IfNotExists)
		p.name(s.Name)
		p.aliases(s.Columns)
		p.comment(s.Comment)
		p.properties(s.Properties)
		p.put(" AS ")
		p.query(s.Query)
		p.when(s.NoData, " WITH NO DATA")
	case *CreateSchema:
		p.createHead("SCHEMA", false, s.IfNotExists)
		p.name(s.Name)
		p.authorization(s.Authorization)
		p.properties(s.Properties)
	case *CreateCatalog:
		p.createHead("CATALOG", false, s.IfNotExists)
		p.ident(s.Name)
		p.put(" USING ")
		p.ident(s.Connector)
		p.comment(s.Comment)
		p.authorization(s.Authorization)
		p.properties(s.Properties)
	case *CreateView:
		p.createView(s)
	case *CreateMaterializedView:
		p.createMaterializedView(s)
	case *RefreshMaterializedView:
		p.put("REFRESH MATERIALIZED VIEW ")
		p.name(s.Name)
	default:
		p.drop(s)
	}
}

func (p *printer) createView(s *CreateView) {
	p.createHead("VIEW", s.OrReplace, false)
	p.name(s.Name)
	p.comment(s.Comment)
	switch s.Security {
	case SecurityDefiner:
		p.put(" SECURITY DEFINER")
	case SecurityInvoker:
		p.put(" SECURITY INVOKER")
	}
	p.properties(s.Properties)
	p.put(" AS ")
	p.query(s.Query)
}

func (p *printer) createMaterializedView(s *CreateMaterializedView) {
	p.createHead("MATERIALIZED VIEW", s.OrReplace, s.IfNotExists)
	p.name(s.Name)
	if s.GracePeriod != nil {
		p.put(" GRACE PERIOD ")
		p.interval(s.GracePeriod)
	}
	p.comment(s.Comment)
	p.properties(s.Properties)
	p.put(" AS ")
	p.query(s.Query)
}

func (p *printer) drop(s Statement) {
	switch s := s.(type) {
	case *DropTable:
		p.put("DROP TABLE ")
		p.when(s.IfExists, "IF EXISTS ")
		p.name(s.Name)
	case *DropSchema:
		p.put("DROP SCHEMA ")
		p.when(s.IfExists, "IF EXISTS ")
		p.name(s.Name)
		p.when(s.Cascade, " CASCADE")
	case *DropCatalog:
		p.put("DROP CATALOG ")
		p.when(s.IfExists, "IF EXISTS ")
		p.ident(s.Name)
		p.when(s.Cascade, " CASCADE")
	case *DropView:
		p.put("DROP ")
		p.when(s.Materialized, "MATERIALIZED ")
		p.put("VIEW ")
		p.when(s.IfExists, "IF EXISTS ")
		p.name(s.Name)
	}
}

func (p *printer) comment(c *StringLiteral) {
	if c != nil {
		p.put(" COMMENT ", QuoteString(c.Value))
	}
}

func (p *printer) authorization(a *Principal) {
	if a != nil {
		p.put(" AUTHORIZATION ")
		p.definition(a)
	}
}

// properties writes " WITH (…)" unless the list is empty.
func (p *printer) properties(list []*Property) {
	if len(list) > 0 {
		p.put(" WITH (")
		commas(p, list, p.property)
		p.put(")")
	}
}

func (p *printer) property(n *Property) {
	p.ident(n.Name)
	p.put(" = ")
	if n.Value == nil {
		p.put("DEFAULT")
		return
	}
	p.expr(n.Value, precLowest)
}

func (p *printer) callArguments(args []*CallArgument) {
	p.put("(")
	commas(p, args, func(a *CallArgument) { p.definition(a) })
	p.put(")")
}

// definition writes the parts of statements.
func (p *printer) definition(n Node) {
	switch n := n.(type) {
	case *Property:
		p.property(n)
	case *ColumnDefinition:
		p.name(n.Name)
		p.put(" ")
		p.dataType(n.Type)
		p.when(n.NotNull, " NOT NULL")
		p.comment(n.Comment)
		p.properties(n.Properties)
	case *LikeClause:
		p.put("LIKE ")
		p.name(n.Table)
		p.when(n.Including, " INCLUDING PROPERTIES")
	case *RowField:
		p.rowField(n)
	case *Principal:
		p.when(n.Kind != "", n.Kind+" ")
		p.ident(n.Name)
	case *LikePattern:
		p.put("LIKE ", QuoteString(n.Pattern))
		if n.Escape != nil {
			p.put(" ESCAPE ", QuoteString(n.Escape.Value))
		}
	case *CallArgument:
		if n.Name != nil {
			p.ident(n.Name)
			p.put(" => ")
		}
		p.expr(n.Value, precLowest)
	case *Assignment:
		p.assignment(n)
	case *MergeCase:
		p.mergeCase(n)
	}
}
