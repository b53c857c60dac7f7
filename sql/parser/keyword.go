package parser

import (
	"strings"

	"github.com/tuttidb/tutti/sql/ast"
)

// The keywords that the grammar tests for: all reserved words, and those
// others that begin or separate something. A word of Trino's nonReserved rule
// that is missing here is simply an identifier.
const (
	// Reserved words.
	kwAlter kind = iota + firstKeyword
	kwAnd
	kwAs
	kwBetween
	kwBy
	kwCase
	kwCast
	kwConstraint
	kwCreate
	kwCross
	kwCube
	kwCurrentCatalog
	kwCurrentDate
	kwCurrentPath
	kwCurrentRole
	kwCurrentSchema
	kwCurrentTime
	kwCurrentTimestamp
	kwCurrentUser
	kwDeallocate
	kwDelete
	kwDescribe
	kwDistinct
	kwDrop
	kwElse
	kwEnd
	kwEscape
	kwExcept
	kwExecute
	kwExists
	kwExtract
	kwFalse
	kwFor
	kwFrom
	kwFull
	kwGroup
	kwGrouping
	kwHaving
	kwIn
	kwInner
	kwInsert
	kwIntersect
	kwInto
	kwIs
	kwJoin
	kwJsonArray
	kwJsonExists
	kwJsonObject
	kwJsonQuery
	kwJsonTable
	kwJsonValue
	kwLeft
	kwLike
	kwListagg
	kwLocaltime
	kwLocaltimestamp
	kwNatural
	kwNormalize
	kwNot
	kwNull
	kwOn
	kwOr
	kwOrder
	kwOuter
	kwPrepare
	kwRecursive
	kwRight
	kwRollup
	kwSelect
	kwSkip
	kwTable
	kwThen
	kwTrim
	kwTrue
	kwUescape
	kwUnion
	kwUnnest
	kwUsing
	kwValues
	kwWhen
	kwWhere
	kwWith

	// Words that are names everywhere else.
	kwAdd
	kwAfter
	kwAll
	kwAnalyze
	kwAny
	kwArray
	kwAsc
	kwAt
	kwAuthorization
	kwBernoulli
	kwBoth
	kwCall
	kwCascade
	kwCatalog
	kwCatalogs
	kwColumn
	kwColumns
	kwComment
	kwCommit
	kwCommitted
	kwCopartition
	kwCorresponding
	kwCount
	kwCurrent
	kwData
	kwDay
	kwDefault
	kwDefiner
	kwDeny
	kwDesc
	kwDescriptor
	kwDistributed
	kwDouble
	kwEmpty
	kwError
	kwExcluding
	kwExplain
	kwFetch
	kwFilter
	kwFirst
	kwFollowing
	kwFormat
	kwFunction
	kwFunctions
	kwGrace
	kwGrant
	kwGrants
	kwGraphviz
	kwGroups
	kwHour
	kwIf
	kwIgnore
	kwImmediate
	kwIncluding
	kwInput
	kwInterval
	kwInvoker
	kwIo
	kwIsolation
	kwJson
	kwKeep
	kwLast
	kwLateral
	kwLeading
	kwLevel
	kwLimit
	kwLocal
	kwLogical
	kwMatchRecognize
	kwMatched
	kwMaterialized
	kwMerge
	kwMinute
	kwMonth
	kwNext
	kwNfc
	kwNfd
	kwNfkc
	kwNfkd
	kwNo
	kwNone
	kwNulls
	kwOf
	kwOffset
	kwOnly
	kwOrdinality
	kwOutput
	kwOver
	kwOverflow
	kwPartition
	kwPath
	kwPeriod
	kwPosition
	kwPreceding
	kwPrecision
	kwProperties
	kwPrune
	kwRange
	kwRead
	kwRefresh
	kwRename
	kwRepeatable
	kwReplace
	kwReset
	kwRespect
	kwRestrict
	kwRevoke
	kwRole
	kwRoles
	kwRollback
	kwRow
	kwRows
	kwSchema
	kwSchemas
	kwSecond
	kwSecurity
	kwSerializable
	kwSession
	kwSet
	kwSets
	kwShow
	kwSome
	kwStart
	kwStats
	kwSubstring
	kwSystem
	kwTables
	kwTablesample
	kwText
	kwTies
	kwTime
	kwTimestamp
	kwTo
	kwTrailing
	kwTransaction
	kwTruncate
	kwTryCast
	kwType
	kwUnbounded
	kwUncommitted
	kwUpdate
	kwUse
	kwUser
	kwValidate
	kwVerbose
	kwVersion
	kwView
	kwWindow
	kwWithin
	kwWithout
	kwWork
	kwWrite
	kwYear
	kwZone

	lastKeyword
)

// keywordNames has the text of each keyword in upper case. It never changes.
var keywordNames = [lastKeyword - firstKeyword]string{
	kwAlter - firstKeyword:            "ALTER",
	kwAnd - firstKeyword:              "AND",
	kwAs - firstKeyword:               "AS",
	kwBetween - firstKeyword:          "BETWEEN",
	kwBy - firstKeyword:               "BY",
	kwCase - firstKeyword:             "CASE",
	kwCast - firstKeyword:             "CAST",
	kwConstraint - firstKeyword:       "CONSTRAINT",
	kwCreate - firstKeyword:           "CREATE",
	kwCross - firstKeyword:            "CROSS",
	kwCube - firstKeyword:             "CUBE",
	kwCurrentCatalog - firstKeyword:   "CURRENT_CATALOG",
	kwCurrentDate - firstKeyword:      "CURRENT_DATE",
	kwCurrentPath - firstKeyword:      "CURRENT_PATH",
	kwCurrentRole - firstKeyword:      "CURRENT_ROLE",
	kwCurrentSchema - firstKeyword:    "CURRENT_SCHEMA",
	kwCurrentTime - firstKeyword:      "CURRENT_TIME",
	kwCurrentTimestamp - firstKeyword: "CURRENT_TIMESTAMP",
	kwCurrentUser - firstKeyword:      "CURRENT_USER",
	kwDeallocate - firstKeyword:       "DEALLOCATE",
	kwDelete - firstKeyword:           "DELETE",
	kwDescribe - firstKeyword:         "DESCRIBE",
	kwDistinct - firstKeyword:         "DISTINCT",
	kwDrop - firstKeyword:             "DROP",
	kwElse - firstKeyword:             "ELSE",
	kwEnd - firstKeyword:              "END",
	kwEscape - firstKeyword:           "ESCAPE",
	kwExcept - firstKeyword:           "EXCEPT",
	kwExecute - firstKeyword:          "EXECUTE",
	kwExists - firstKeyword:           "EXISTS",
	kwExtract - firstKeyword:          "EXTRACT",
	kwFalse - firstKeyword:            "FALSE",
	kwFor - firstKeyword:              "FOR",
	kwFrom - firstKeyword:             "FROM",
	kwFull - firstKeyword:             "FULL",
	kwGroup - firstKeyword:            "GROUP",
	kwGrouping - firstKeyword:         "GROUPING",
	kwHaving - firstKeyword:           "HAVING",
	kwIn - firstKeyword:               "IN",
	kwInner - firstKeyword:            "INNER",
	kwInsert - firstKeyword:           "INSERT",
	kwIntersect - firstKeyword:        "INTERSECT",
	kwInto - firstKeyword:             "INTO",
	kwIs - firstKeyword:               "IS",
	kwJoin - firstKeyword:             "JOIN",
	kwJsonArray - firstKeyword:        "JSON_ARRAY",
	kwJsonExists - firstKeyword:       "JSON_EXISTS",
	kwJsonObject - firstKeyword:       "JSON_OBJECT",
	kwJsonQuery - firstKeyword:        "JSON_QUERY",
	kwJsonTable - firstKeyword:        "JSON_TABLE",
	kwJsonValue - firstKeyword:        "JSON_VALUE",
	kwLeft - firstKeyword:             "LEFT",
	kwLike - firstKeyword:             "LIKE",
	kwListagg - firstKeyword:          "LISTAGG",
	kwLocaltime - firstKeyword:        "LOCALTIME",
	kwLocaltimestamp - firstKeyword:   "LOCALTIMESTAMP",
	kwNatural - firstKeyword:          "NATURAL",
	kwNormalize - firstKeyword:        "NORMALIZE",
	kwNot - firstKeyword:              "NOT",
	kwNull - firstKeyword:             "NULL",
	kwOn - firstKeyword:               "ON",
	kwOr - firstKeyword:               "OR",
	kwOrder - firstKeyword:            "ORDER",
	kwOuter - firstKeyword:            "OUTER",
	kwPrepare - firstKeyword:          "PREPARE",
	kwRecursive - firstKeyword:        "RECURSIVE",
	kwRight - firstKeyword:            "RIGHT",
	kwRollup - firstKeyword:           "ROLLUP",
	kwSelect - firstKeyword:           "SELECT",
	kwSkip - firstKeyword:             "SKIP",
	kwTable - firstKeyword:            "TABLE",
	kwThen - firstKeyword:             "THEN",
	kwTrim - firstKeyword:             "TRIM",
	kwTrue - firstKeyword:             "TRUE",
	kwUescape - firstKeyword:          "UESCAPE",
	kwUnion - firstKeyword:            "UNION",
	kwUnnest - firstKeyword:           "UNNEST",
	kwUsing - firstKeyword:            "USING",
	kwValues - firstKeyword:           "VALUES",
	kwWhen - firstKeyword:             "WHEN",
	kwWhere - firstKeyword:            "WHERE",
	kwWith - firstKeyword:             "WITH",
	kwAdd - firstKeyword:              "ADD",
	kwAfter - firstKeyword:            "AFTER",
	kwAll - firstKeyword:              "ALL",
	kwAnalyze - firstKeyword:          "ANALYZE",
	kwAny - firstKeyword:              "ANY",
	kwArray - firstKeyword:            "ARRAY",
	kwAsc - firstKeyword:              "ASC",
	kwAt - firstKeyword:               "AT",
	kwAuthorization - firstKeyword:    "AUTHORIZATION",
	kwBernoulli - firstKeyword:        "BERNOULLI",
	kwBoth - firstKeyword:             "BOTH",
	kwCall - firstKeyword:             "CALL",
	kwCascade - firstKeyword:          "CASCADE",
	kwCatalog - firstKeyword:          "CATALOG",
	kwCatalogs - firstKeyword:         "CATALOGS",
	kwColumn - firstKeyword:           "COLUMN",
	kwColumns - firstKeyword:          "COLUMNS",
	kwComment - firstKeyword:          "COMMENT",
	kwCommit - firstKeyword:           "COMMIT",
	kwCommitted - firstKeyword:        "COMMITTED",
	kwCopartition - firstKeyword:      "COPARTITION",
	kwCorresponding - firstKeyword:    "CORRESPONDING",
	kwCount - firstKeyword:            "COUNT",
	kwCurrent - firstKeyword:          "CURRENT",
	kwData - firstKeyword:             "DATA",
	kwDay - firstKeyword:              "DAY",
	kwDefault - firstKeyword:          "DEFAULT",
	kwDefiner - firstKeyword:          "DEFINER",
	kwDeny - firstKeyword:             "DENY",
	kwDesc - firstKeyword:             "DESC",
	kwDescriptor - firstKeyword:       "DESCRIPTOR",
	kwDistributed - firstKeyword:      "DISTRIBUTED",
	kwDouble - firstKeyword:           "DOUBLE",
	kwEmpty - firstKeyword:            "EMPTY",
	kwError - firstKeyword:            "ERROR",
	kwExcluding - firstKeyword:        "EXCLUDING",
	kwExplain - firstKeyword:          "EXPLAIN",
	kwFetch - firstKeyword:            "FETCH",
	kwFilter - firstKeyword:           "FILTER",
	kwFirst - firstKeyword:            "FIRST",
	kwFollowing - firstKeyword:        "FOLLOWING",
	kwFormat - firstKeyword:           "FORMAT",
	kwFunction - firstKeyword:         "FUNCTION",
	kwFunctions - firstKeyword:        "FUNCTIONS",
	kwGrace - firstKeyword:            "GRACE",
	kwGrant - firstKeyword:            "GRANT",
	kwGrants - firstKeyword:           "GRANTS",
	kwGraphviz - firstKeyword:         "GRAPHVIZ",
	kwGroups - firstKeyword:           "GROUPS",
	kwHour - firstKeyword:             "HOUR",
	kwIf - firstKeyword:               "IF",
	kwIgnore - firstKeyword:           "IGNORE",
	kwImmediate - firstKeyword:        "IMMEDIATE",
	kwIncluding - firstKeyword:        "INCLUDING",
	kwInput - firstKeyword:            "INPUT",
	kwInterval - firstKeyword:         "INTERVAL",
	kwInvoker - firstKeyword:          "INVOKER",
	kwIo - firstKeyword:               "IO",
	kwIsolation - firstKeyword:        "ISOLATION",
	kwJson - firstKeyword:             "JSON",
	kwKeep - firstKeyword:             "KEEP",
	kwLast - firstKeyword:             "LAST",
	kwLateral - firstKeyword:          "LATERAL",
	kwLeading - firstKeyword:          "LEADING",
	kwLevel - firstKeyword:            "LEVEL",
	kwLimit - firstKeyword:            "LIMIT",
	kwLocal - firstKeyword:            "LOCAL",
	kwLogical - firstKeyword:          "LOGICAL",
	kwMatchRecognize - firstKeyword:   "MATCH_RECOGNIZE",
	kwMatched - firstKeyword:          "MATCHED",
	kwMaterialized - firstKeyword:     "MATERIALIZED",
	kwMerge - firstKeyword:            "MERGE",
	kwMinute - firstKeyword:           "MINUTE",
	kwMonth - firstKeyword:            "MONTH",
	kwNext - firstKeyword:             "NEXT",
	kwNfc - firstKeyword:              "NFC",
	kwNfd - firstKeyword:              "NFD",
	kwNfkc - firstKeyword:             "NFKC",
	kwNfkd - firstKeyword:             "NFKD",
	kwNo - firstKeyword:               "NO",
	kwNone - firstKeyword:             "NONE",
	kwNulls - firstKeyword:            "NULLS",
	kwOf - firstKeyword:               "OF",
	kwOffset - firstKeyword:           "OFFSET",
	kwOnly - firstKeyword:             "ONLY",
	kwOrdinality - firstKeyword:       "ORDINALITY",
	kwOutput - firstKeyword:           "OUTPUT",
	kwOver - firstKeyword:             "OVER",
	kwOverflow - firstKeyword:         "OVERFLOW",
	kwPartition - firstKeyword:        "PARTITION",
	kwPath - firstKeyword:             "PATH",
	kwPeriod - firstKeyword:           "PERIOD",
	kwPosition - firstKeyword:         "POSITION",
	kwPreceding - firstKeyword:        "PRECEDING",
	kwPrecision - firstKeyword:        "PRECISION",
	kwProperties - firstKeyword:       "PROPERTIES",
	kwPrune - firstKeyword:            "PRUNE",
	kwRange - firstKeyword:            "RANGE",
	kwRead - firstKeyword:             "READ",
	kwRefresh - firstKeyword:          "REFRESH",
	kwRename - firstKeyword:           "RENAME",
	kwRepeatable - firstKeyword:       "REPEATABLE",
	kwReplace - firstKeyword:          "REPLACE",
	kwReset - firstKeyword:            "RESET",
	kwRespect - firstKeyword:          "RESPECT",
	kwRestrict - firstKeyword:         "RESTRICT",
	kwRevoke - firstKeyword:           "REVOKE",
	kwRole - firstKeyword:             "ROLE",
	kwRoles - firstKeyword:            "ROLES",
	kwRollback - firstKeyword:         "ROLLBACK",
	kwRow - firstKeyword:              "ROW",
	kwRows - firstKeyword:             "ROWS",
	kwSchema - firstKeyword:           "SCHEMA",
	kwSchemas - firstKeyword:          "SCHEMAS",
	kwSecond - firstKeyword:           "SECOND",
	kwSecurity - firstKeyword:         "SECURITY",
	kwSerializable - firstKeyword:     "SERIALIZABLE",
	kwSession - firstKeyword:          "SESSION",
	kwSet - firstKeyword:              "SET",
	kwSets - firstKeyword:             "SETS",
	kwShow - firstKeyword:             "SHOW",
	kwSome - firstKeyword:             "SOME",
	kwStart - firstKeyword:            "START",
	kwStats - firstKeyword:            "STATS",
	kwSubstring - firstKeyword:        "SUBSTRING",
	kwSystem - firstKeyword:           "SYSTEM",
	kwTables - firstKeyword:           "TABLES",
	kwTablesample - firstKeyword:      "TABLESAMPLE",
	kwText - firstKeyword:             "TEXT",
	kwTies - firstKeyword:             "TIES",
	kwTime - firstKeyword:             "TIME",
	kwTimestamp - firstKeyword:        "TIMESTAMP",
	kwTo - firstKeyword:               "TO",
	kwTrailing - firstKeyword:         "TRAILING",
	kwTransaction - firstKeyword:      "TRANSACTION",
	kwTruncate - firstKeyword:         "TRUNCATE",
	kwTryCast - firstKeyword:          "TRY_CAST",
	kwType - firstKeyword:             "TYPE",
	kwUnbounded - firstKeyword:        "UNBOUNDED",
	kwUncommitted - firstKeyword:      "UNCOMMITTED",
	kwUpdate - firstKeyword:           "UPDATE",
	kwUse - firstKeyword:              "USE",
	kwUser - firstKeyword:             "USER",
	kwValidate - firstKeyword:         "VALIDATE",
	kwVerbose - firstKeyword:          "VERBOSE",
	kwVersion - firstKeyword:          "VERSION",
	kwView - firstKeyword:             "VIEW",
	kwWindow - firstKeyword:           "WINDOW",
	kwWithin - firstKeyword:           "WITHIN",
	kwWithout - firstKeyword:          "WITHOUT",
	kwWork - firstKeyword:             "WORK",
	kwWrite - firstKeyword:            "WRITE",
	kwYear - firstKeyword:             "YEAR",
	kwZone - firstKeyword:             "ZONE",
}

// keywords finds the kind of a word in lower case. It never changes.
var keywords = func() map[string]kind {
	m := make(map[string]kind, len(keywordNames))
	for i, name := range keywordNames {
		m[strings.ToLower(name)] = kind(i) + firstKeyword
	}
	return m
}()

// reservedKinds says which keywords cannot be names. It never changes.
var reservedKinds = func() (set [lastKeyword]bool) {
	for i, name := range keywordNames {
		set[kind(i)+firstKeyword] = ast.IsReserved(name)
	}
	return set
}()
