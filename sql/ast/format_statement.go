package ast

// statement writes queries and statements that change neither data nor
// definitions.
func (p *printer) statement(s Statement) {
	switch s := s.(type) {
	case *Query:
		p.query(s)
	case *Explain:
		p.explain(s)
	case *ExplainAnalyze:
		p.put("EXPLAIN ANALYZE ")
		p.when(s.Verbose, "VERBOSE ")
		p.statement(s.Statement)
	case *Use:
		p.put("USE ")
		if s.Catalog != nil {
			p.ident(s.Catalog)
			p.put(".")
		}
		p.ident(s.Schema)
	case *StartTransaction:
		p.put("START TRANSACTION")
		for i, m := range s.Modes {
			p.when(i > 0, ",")
			p.put(" ", m.String())
		}
	case *Commit:
		p.put("COMMIT")
	case *Rollback:
		p.put("ROLLBACK")
	case *Call:
		p.put("CALL ")
		p.name(s.Name)
		p.callArguments(s.Args)
	case *Analyze:
		p.put("ANALYZE ")
		p.name(s.Table)
		p.properties(s.Properties)
	case *Prepare, *Execute, *ExecuteImmediate, *Deallocate, *DescribeInput, *DescribeOutput:
		p.prepared(s)
	case *SetSession, *ResetSession, *SetTimeZone, *SetRole, *SetPath, *SetSessionAuthorization, *ResetSessionAuthorization:
		p.set(s)
	default:
		p.show(s)
	}
}

func (p *printer) explain(s *Explain) {
	p.put("EXPLAIN ")
	t, f := s.Type.String(), s.Format.String()
	switch {
	case t != "" && f != "":
		p.put("(TYPE ", t, ", FORMAT ", f, ") ")
	case t != "":
		p.put("(TYPE ", t, ") ")
	case f != "":
		p.put("(FORMAT ", f, ") ")
	}
	p.statement(s.Statement)
}

func (p *printer) prepared(s Statement) {
	switch s := s.(type) {
	case *Prepare:
		p.put("PREPARE ")
		p.ident(s.Name)
		p.put(" FROM ")
		p.statement(s.Statement)
	case *Execute:
		p.put("EXECUTE ")
		p.ident(s.Name)
		p.using(s.Params)
	case *ExecuteImmediate:
		p.put("EXECUTE IMMEDIATE ", QuoteString(s.SQL.Value))
		p.using(s.Params)
	case *Deallocate:
		p.put("DEALLOCATE PREPARE ")
		p.ident(s.Name)
	case *DescribeInput:
		p.put("DESCRIBE INPUT ")
		p.ident(s.Name)
	case *DescribeOutput:
		p.put("DESCRIBE OUTPUT ")
		p.ident(s.Name)
	}
}

func (p *printer) using(params []Expression) {
	if len(params) > 0 {
		p.put(" USING ")
		p.exprs(params)
	}
}

func (p *printer) set(s Statement) {
	switch s := s.(type) {
	case *SetSession:
		p.put("SET SESSION ")
		p.name(s.Name)
		p.put(" = ")
		p.expr(s.Value, precLowest)
	case *ResetSession:
		p.put("RESET SESSION ")
		p.name(s.Name)
	case *SetTimeZone:
		p.put("SET TIME ZONE ")
		if s.Value == nil {
			p.put("LOCAL")
			return
		}
		p.expr(s.Value, precLowest)
	case *SetRole:
		p.put("SET ROLE ")
		switch s.Kind {
		case RoleAll:
			p.put("ALL")
		case RoleNone:
			p.put("NONE")
		default:
			p.ident(s.Role)
		}
		if s.Catalog != nil {
			p.put(" IN ")
			p.ident(s.Catalog)
		}
	case *SetPath:
		p.put("SET PATH ")
		commas(p, s.Path, p.name)
	case *SetSessionAuthorization:
		p.put("SET SESSION AUTHORIZATION ")
		p.expr(s.User, precLowest)
	case *ResetSessionAuthorization:
		p.put("RESET SESSION AUTHORIZATION")
	}
}

func (p *printer) show(s Statement) {
	switch s := s.(type) {
	case *ShowCatalogs:
		p.put("SHOW CATALOGS")
		p.like(s.Like)
	case *ShowSchemas:
		p.put("SHOW SCHEMAS")
		p.fromIdent(s.Catalog)
		p.like(s.Like)
	case *ShowTables:
		p.put("SHOW TABLES")
		p.fromName(s.Schema)
		p.like(s.Like)
	case *ShowColumns:
		p.put("SHOW COLUMNS")
		p.fromName(s.Table)
		p.like(s.Like)
	case *ShowFunctions:
		p.put("SHOW FUNCTIONS")
		p.fromName(s.Schema)
		p.like(s.Like)
	case *ShowSession:
		p.put("SHOW SESSION")
		p.like(s.Like)
	case *ShowCreate:
		p.put("SHOW CREATE ", s.Kind.String(), " ")
		p.name(s.Name)
	case *ShowStats:
		p.put("SHOW STATS FOR ")
		if s.Query != nil {
			p.subquery(s.Query)
			return
		}
		p.name(s.Table)
	case *ShowGrants, *ShowRoles, *ShowRoleGrants:
		p.showRights(s)
	default:
		p.change(s)
	}
}

func (p *printer) showRights(s Statement) {
	switch s := s.(type) {
	case *ShowGrants:
		p.put("SHOW GRANTS")
		if s.On == nil {
			return
		}
		p.put(" ON ")
		if s.Kind != nil {
			p.objectKind(s.Kind)
			p.put(" ")
		}
		p.name(s.On)
	case *ShowRoles:
		p.put("SHOW ")
		p.when(s.Current, "CURRENT ")
		p.put("ROLES")
		p.fromIdent(s.Catalog)
	case *ShowRoleGrants:
		p.put("SHOW ROLE GRANTS")
		p.fromIdent(s.Catalog)
	}
}

// objectKind writes the kind of an object; TABLE is a keyword there.
func (p *printer) objectKind(kind *Identifier) {
	if !kind.Quoted && kind.Fold() == "table" {
		p.put(kind.Name)
		return
	}
	p.ident(kind)
}

func (p *printer) fromIdent(i *Identifier) {
	if i != nil {
		p.put(" FROM ")
		p.ident(i)
	}
}

func (p *printer) fromName(n *QualifiedName) {
	if n != nil {
		p.put(" FROM ")
		p.name(n)
	}
}

func (p *printer) like(l *LikePattern) {
	if l != nil {
		p.put(" ")
		p.definition(l)
	}
}
