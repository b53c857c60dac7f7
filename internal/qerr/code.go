package qerr

// Code is a Trino error code: a stable number and name, and the kind that
// goes with it. Codes are comparable; compare with ==.
type Code struct {
	Number int
	Name   string
	Kind   Kind
}

// Offsets of the kinds other than User within Trino's numbering
// (io.trino.spi.StandardErrorCode).
const (
	internalBase = 0x0001_0000
	resourceBase = 0x0002_0000
	externalBase = 0x0100_0000
)

// The codes that Tutti uses, with Trino's numbers. Codes of connectors are
// EXTERNAL and keep the number of the Trino connector that has them.
var (
	GenericUserError          = Code{0, "GENERIC_USER_ERROR", User}
	SyntaxError               = Code{1, "SYNTAX_ERROR", User}
	AbandonedQuery            = Code{2, "ABANDONED_QUERY", User}
	UserCanceled              = Code{3, "USER_CANCELED", User}
	PermissionDenied          = Code{4, "PERMISSION_DENIED", User}
	NotFound                  = Code{5, "NOT_FOUND", User}
	FunctionNotFound          = Code{6, "FUNCTION_NOT_FOUND", User}
	InvalidFunctionArgument   = Code{7, "INVALID_FUNCTION_ARGUMENT", User}
	DivisionByZero            = Code{8, "DIVISION_BY_ZERO", User}
	InvalidCastArgument       = Code{9, "INVALID_CAST_ARGUMENT", User}
	OperatorNotFound          = Code{10, "OPERATOR_NOT_FOUND", User}
	InvalidView               = Code{11, "INVALID_VIEW", User}
	AlreadyExists             = Code{12, "ALREADY_EXISTS", User}
	NotSupportedCode          = Code{13, "NOT_SUPPORTED", User}
	InvalidSessionProperty    = Code{14, "INVALID_SESSION_PROPERTY", User}
	ConstraintViolation       = Code{16, "CONSTRAINT_VIOLATION", User}
	TransactionConflict       = Code{17, "TRANSACTION_CONFLICT", User}
	NumericValueOutOfRange    = Code{19, "NUMERIC_VALUE_OUT_OF_RANGE", User}
	UnknownTransaction        = Code{20, "UNKNOWN_TRANSACTION", User}
	NotInTransaction          = Code{21, "NOT_IN_TRANSACTION", User}
	TransactionAlreadyAborted = Code{22, "TRANSACTION_ALREADY_ABORTED", User}
	ReadOnlyViolation         = Code{23, "READ_ONLY_VIOLATION", User}
	IncompatibleClient        = Code{26, "INCOMPATIBLE_CLIENT", User}
	SubqueryMultipleRows      = Code{27, "SUBQUERY_MULTIPLE_ROWS", User}
	AdministrativelyKilled    = Code{29, "ADMINISTRATIVELY_KILLED", User}
	QueryTextTooLarge         = Code{32, "QUERY_TEXT_TOO_LARGE", User}
	TypeMismatch              = Code{58, "TYPE_MISMATCH", User}
	InvalidLiteral            = Code{59, "INVALID_LITERAL", User}
	CatalogNotFound           = Code{44, "CATALOG_NOT_FOUND", User}
	SchemaNotFound            = Code{45, "SCHEMA_NOT_FOUND", User}
	TableNotFound             = Code{46, "TABLE_NOT_FOUND", User}
	ColumnNotFound            = Code{47, "COLUMN_NOT_FOUND", User}
	SchemaAlreadyExists       = Code{49, "SCHEMA_ALREADY_EXISTS", User}
	TableAlreadyExists        = Code{50, "TABLE_ALREADY_EXISTS", User}
	DuplicateNamedQuery       = Code{52, "DUPLICATE_NAMED_QUERY", User}
	DuplicateColumnName       = Code{53, "DUPLICATE_COLUMN_NAME", User}
	MissingColumnName         = Code{54, "MISSING_COLUMN_NAME", User}
	MissingCatalogName        = Code{55, "MISSING_CATALOG_NAME", User}
	MissingSchemaName         = Code{56, "MISSING_SCHEMA_NAME", User}
	TypeNotFound              = Code{57, "TYPE_NOT_FOUND", User}
	ColumnTypeUnknown         = Code{60, "COLUMN_TYPE_UNKNOWN", User}
	MismatchedColumnAliases   = Code{61, "MISMATCHED_COLUMN_ALIASES", User}
	InvalidColumnReference    = Code{63, "INVALID_COLUMN_REFERENCE", User}
	MissingGroupBy            = Code{64, "MISSING_GROUP_BY", User}
	MissingOrderBy            = Code{65, "MISSING_ORDER_BY", User}
	NestedAggregation         = Code{67, "NESTED_AGGREGATION", User}
	InvalidWindowFrame        = Code{71, "INVALID_WINDOW_FRAME", User}
	ExpressionNotAggregate    = Code{73, "EXPRESSION_NOT_AGGREGATE", User}
	ExpressionNotScalar       = Code{74, "EXPRESSION_NOT_SCALAR", User}
	ExpressionNotConstant     = Code{75, "EXPRESSION_NOT_CONSTANT", User}
	InvalidArguments          = Code{76, "INVALID_ARGUMENTS", User}
	TooManyArguments          = Code{77, "TOO_MANY_ARGUMENTS", User}
	AmbiguousName             = Code{88, "AMBIGUOUS_NAME", User}
	ExpressionNotInDistinct   = Code{92, "EXPRESSION_NOT_IN_DISTINCT", User}
	InvalidParameterUsage     = Code{106, "INVALID_PARAMETER_USAGE", User}
	InvalidLimitClause        = Code{85, "INVALID_LIMIT_CLAUSE", User}
	ColumnNotUnique           = Code{48, "COLUMN_ALREADY_EXISTS", User}

	GenericInternal      = Code{internalBase + 0, "GENERIC_INTERNAL_ERROR", Internal}
	TooManyRequests      = Code{internalBase + 1, "TOO_MANY_REQUESTS_FAILED", Internal}
	PageTooLarge         = Code{internalBase + 2, "PAGE_TOO_LARGE", Internal}
	PageTransportError   = Code{internalBase + 3, "PAGE_TRANSPORT_ERROR", Internal}
	PageTransportTimeout = Code{internalBase + 4, "PAGE_TRANSPORT_TIMEOUT", Internal}
	NoNodesAvailable     = Code{internalBase + 5, "NO_NODES_AVAILABLE", Internal}
	RemoteTaskError      = Code{internalBase + 6, "REMOTE_TASK_ERROR", Internal}
	RemoteTaskMismatch   = Code{internalBase + 8, "REMOTE_TASK_MISMATCH", Internal}
	ServerShuttingDown   = Code{internalBase + 9, "SERVER_SHUTTING_DOWN", Internal}
	RemoteHostGone       = Code{internalBase + 19, "REMOTE_HOST_GONE", Internal}

	GenericResource         = Code{resourceBase + 0, "GENERIC_INSUFFICIENT_RESOURCES", Resource}
	ExceededGlobalMemory    = Code{resourceBase + 1, "EXCEEDED_GLOBAL_MEMORY_LIMIT", Resource}
	QueryQueueFull          = Code{resourceBase + 2, "QUERY_QUEUE_FULL", Resource}
	ExceededTimeLimit       = Code{resourceBase + 3, "EXCEEDED_TIME_LIMIT", Resource}
	ClusterOutOfMemory      = Code{resourceBase + 4, "CLUSTER_OUT_OF_MEMORY", Resource}
	ExceededCPULimit        = Code{resourceBase + 5, "EXCEEDED_CPU_LIMIT", Resource}
	ExceededSpillLimit      = Code{resourceBase + 6, "EXCEEDED_SPILL_LIMIT", Resource}
	ExceededLocalMemory     = Code{resourceBase + 7, "EXCEEDED_LOCAL_MEMORY_LIMIT", Resource}
	ExceededTasksStageLimit = Code{resourceBase + 11, "QUERY_HAS_TOO_MANY_STAGES", Resource}
	ExceededFunctionMemory  = Code{resourceBase + 10, "EXCEEDED_FUNCTION_MEMORY_LIMIT", Resource}

	GenericExternal = Code{externalBase + 0, "GENERIC_EXTERNAL", External}
	// The lake connector's codes, with the numbers of Trino's Hive connector.
	LakeMetadataError    = Code{externalBase + 2, "HIVE_CURSOR_ERROR", External}
	LakeFileNotFound     = Code{externalBase + 8, "HIVE_FILE_NOT_FOUND", External}
	LakeBadData          = Code{externalBase + 26, "HIVE_BAD_DATA", External}
	LakeCannotOpen       = Code{externalBase + 7, "HIVE_CANNOT_OPEN_SPLIT", External}
	LakeFilesystemError  = Code{externalBase + 6, "HIVE_FILESYSTEM_ERROR", External}
	LakeFileChanged      = Code{externalBase + 9, "LAKE_FILE_CHANGED", External}
	LakeInvalidStructure = Code{externalBase + 3, "HIVE_INVALID_METADATA", External}
)
