package qerr

// Code is a Trino error code: a stable number and name, and the kind that
// goes with it. Codes are comparable; compare with ==.
type Code struct {
	Number int
	Name   string
	Kind   Kind
}

// Offsets of the kinds other than User within Trino's numbering
// (io.trino.spi.StandardErrorCode; lakeBase is io.trino.plugin.hive.HiveErrorCode).
const (
	internalBase = 0x0001_0000
	resourceBase = 0x0002_0000
	lakeBase     = 0x0100_0000
)

// The codes that Tutti uses, with Trino's numbers, names and kinds: a test
// compares every line with the list printed from Trino itself. Codes of
// connectors keep the number of the Trino connector that has them.
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
	InvalidWindowFrame        = Code{15, "INVALID_WINDOW_FRAME", User}
	ConstraintViolation       = Code{16, "CONSTRAINT_VIOLATION", User}
	TransactionConflict       = Code{17, "TRANSACTION_CONFLICT", User}
	InvalidTableProperty      = Code{18, "INVALID_TABLE_PROPERTY", User}
	NumericValueOutOfRange    = Code{19, "NUMERIC_VALUE_OUT_OF_RANGE", User}
	UnknownTransaction        = Code{20, "UNKNOWN_TRANSACTION", User}
	NotInTransaction          = Code{21, "NOT_IN_TRANSACTION", User}
	TransactionAlreadyAborted = Code{22, "TRANSACTION_ALREADY_ABORTED", User}
	ReadOnlyViolation         = Code{23, "READ_ONLY_VIOLATION", User}
	MultiCatalogWriteConflict = Code{24, "MULTI_CATALOG_WRITE_CONFLICT", User}
	AutocommitWriteConflict   = Code{25, "AUTOCOMMIT_WRITE_CONFLICT", User}
	UnsupportedIsolationLevel = Code{26, "UNSUPPORTED_ISOLATION_LEVEL", User}
	IncompatibleClient        = Code{27, "INCOMPATIBLE_CLIENT", User}
	SubqueryMultipleRows      = Code{28, "SUBQUERY_MULTIPLE_ROWS", User}
	ProcedureNotFound         = Code{29, "PROCEDURE_NOT_FOUND", User}
	InvalidProcedureArgument  = Code{30, "INVALID_PROCEDURE_ARGUMENT", User}
	QueryRejected             = Code{31, "QUERY_REJECTED", User}
	AmbiguousFunctionCall     = Code{32, "AMBIGUOUS_FUNCTION_CALL", User}
	InvalidSchemaProperty     = Code{33, "INVALID_SCHEMA_PROPERTY", User}
	SchemaNotEmpty            = Code{34, "SCHEMA_NOT_EMPTY", User}
	QueryTextTooLarge         = Code{35, "QUERY_TEXT_TOO_LARGE", User}
	UnsupportedSubquery       = Code{36, "UNSUPPORTED_SUBQUERY", User}
	ExceededFunctionMemory    = Code{37, "EXCEEDED_FUNCTION_MEMORY_LIMIT", User}
	AdministrativelyKilled    = Code{38, "ADMINISTRATIVELY_KILLED", User}
	InvalidColumnProperty     = Code{39, "INVALID_COLUMN_PROPERTY", User}
	ExceededTasksStageLimit   = Code{40, "QUERY_HAS_TOO_MANY_STAGES", User}
	TypeNotFound              = Code{43, "TYPE_NOT_FOUND", User}
	CatalogNotFound           = Code{44, "CATALOG_NOT_FOUND", User}
	SchemaNotFound            = Code{45, "SCHEMA_NOT_FOUND", User}
	TableNotFound             = Code{46, "TABLE_NOT_FOUND", User}
	ColumnNotFound            = Code{47, "COLUMN_NOT_FOUND", User}
	RoleNotFound              = Code{48, "ROLE_NOT_FOUND", User}
	SchemaAlreadyExists       = Code{49, "SCHEMA_ALREADY_EXISTS", User}
	TableAlreadyExists        = Code{50, "TABLE_ALREADY_EXISTS", User}
	ColumnNotUnique           = Code{51, "COLUMN_ALREADY_EXISTS", User}
	DuplicateNamedQuery       = Code{53, "DUPLICATE_NAMED_QUERY", User}
	DuplicateColumnName       = Code{54, "DUPLICATE_COLUMN_NAME", User}
	MissingColumnName         = Code{55, "MISSING_COLUMN_NAME", User}
	MissingCatalogName        = Code{56, "MISSING_CATALOG_NAME", User}
	MissingSchemaName         = Code{57, "MISSING_SCHEMA_NAME", User}
	TypeMismatch              = Code{58, "TYPE_MISMATCH", User}
	InvalidLiteral            = Code{59, "INVALID_LITERAL", User}
	ColumnTypeUnknown         = Code{60, "COLUMN_TYPE_UNKNOWN", User}
	MismatchedColumnAliases   = Code{61, "MISMATCHED_COLUMN_ALIASES", User}
	AmbiguousName             = Code{62, "AMBIGUOUS_NAME", User}
	InvalidColumnReference    = Code{63, "INVALID_COLUMN_REFERENCE", User}
	MissingGroupBy            = Code{64, "MISSING_GROUP_BY", User}
	MissingOrderBy            = Code{65, "MISSING_ORDER_BY", User}
	MissingOver               = Code{66, "MISSING_OVER", User}
	NestedAggregation         = Code{67, "NESTED_AGGREGATION", User}
	NestedWindow              = Code{68, "NESTED_WINDOW", User}
	ExpressionNotInDistinct   = Code{69, "EXPRESSION_NOT_IN_DISTINCT", User}
	TooManyGroupingSets       = Code{70, "TOO_MANY_GROUPING_SETS", User}
	FunctionNotWindow         = Code{71, "FUNCTION_NOT_WINDOW", User}
	FunctionNotAggregate      = Code{72, "FUNCTION_NOT_AGGREGATE", User}
	ExpressionNotAggregate    = Code{73, "EXPRESSION_NOT_AGGREGATE", User}
	ExpressionNotScalar       = Code{74, "EXPRESSION_NOT_SCALAR", User}
	ExpressionNotConstant     = Code{75, "EXPRESSION_NOT_CONSTANT", User}
	InvalidArguments          = Code{76, "INVALID_ARGUMENTS", User}
	TooManyArguments          = Code{77, "TOO_MANY_ARGUMENTS", User}
	DuplicateProperty         = Code{79, "DUPLICATE_PROPERTY", User}
	InvalidParameterUsage     = Code{80, "INVALID_PARAMETER_USAGE", User}
	NullTreatmentNotAllowed   = Code{83, "NULL_TREATMENT_NOT_ALLOWED", User}
	MissingTable              = Code{86, "MISSING_TABLE", User}
	InvalidRecursiveReference = Code{87, "INVALID_RECURSIVE_REFERENCE", User}
	MissingColumnAliases      = Code{88, "MISSING_COLUMN_ALIASES", User}
	NestedRecursive           = Code{89, "NESTED_RECURSIVE", User}
	InvalidLimitClause        = Code{90, "INVALID_LIMIT_CLAUSE", User}
	InvalidOrderBy            = Code{91, "INVALID_ORDER_BY", User}
	DuplicateWindowName       = Code{92, "DUPLICATE_WINDOW_NAME", User}
	InvalidWindowReference    = Code{93, "INVALID_WINDOW_REFERENCE", User}
	InvalidPartitionBy        = Code{94, "INVALID_PARTITION_BY", User}
	TableHasNoColumns         = Code{101, "TABLE_HAS_NO_COLUMNS", User}
	InvalidRange              = Code{102, "INVALID_RANGE", User}
	StackOverflow             = Code{108, "STACK_OVERFLOW", User}
	InvalidPath               = Code{113, "INVALID_PATH", User}
	InvalidCatalogProperty    = Code{124, "INVALID_CATALOG_PROPERTY", User}
	CatalogUnavailable        = Code{125, "CATALOG_UNAVAILABLE", User}
	InvalidPlan               = Code{129, "INVALID_PLAN", User}
	QueryExceededCompiler     = Code{132, "QUERY_EXCEEDED_COMPILER_LIMIT", User}

	GenericInternal         = Code{internalBase + 0, "GENERIC_INTERNAL_ERROR", Internal}
	TooManyRequests         = Code{internalBase + 1, "TOO_MANY_REQUESTS_FAILED", Internal}
	PageTooLarge            = Code{internalBase + 2, "PAGE_TOO_LARGE", Internal}
	PageTransportError      = Code{internalBase + 3, "PAGE_TRANSPORT_ERROR", Internal}
	PageTransportTimeout    = Code{internalBase + 4, "PAGE_TRANSPORT_TIMEOUT", Internal}
	NoNodesAvailable        = Code{internalBase + 5, "NO_NODES_AVAILABLE", Internal}
	RemoteTaskError         = Code{internalBase + 6, "REMOTE_TASK_ERROR", Internal}
	RemoteTaskMismatch      = Code{internalBase + 8, "REMOTE_TASK_MISMATCH", Internal}
	ServerShuttingDown      = Code{internalBase + 9, "SERVER_SHUTTING_DOWN", Internal}
	RemoteBufferCloseFailed = Code{internalBase + 11, "REMOTE_BUFFER_CLOSE_FAILED", Internal}
	ServerStartingUp        = Code{internalBase + 12, "SERVER_STARTING_UP", Internal}
	AbandonedTask           = Code{internalBase + 17, "ABANDONED_TASK", Internal}
	CorruptPage             = Code{internalBase + 19, "CORRUPT_PAGE", Internal}
	OptimizerTimeout        = Code{internalBase + 20, "OPTIMIZER_TIMEOUT", Internal}
	OutOfSpillSpace         = Code{internalBase + 21, "OUT_OF_SPILL_SPACE", Internal}
	RemoteHostGone          = Code{internalBase + 22, "REMOTE_HOST_GONE", Internal}
	ConfigurationInvalid    = Code{internalBase + 23, "CONFIGURATION_INVALID", Internal}
	SerializationError      = Code{internalBase + 26, "SERIALIZATION_ERROR", Internal}
	RemoteTaskFailed        = Code{internalBase + 27, "REMOTE_TASK_FAILED", Internal}
	CatalogNotAvailable     = Code{internalBase + 29, "CATALOG_NOT_AVAILABLE", Internal}
	CatalogStoreError       = Code{internalBase + 30, "CATALOG_STORE_ERROR", Internal}

	GenericResource           = Code{resourceBase + 0, "GENERIC_INSUFFICIENT_RESOURCES", Resource}
	ExceededGlobalMemory      = Code{resourceBase + 1, "EXCEEDED_GLOBAL_MEMORY_LIMIT", Resource}
	QueryQueueFull            = Code{resourceBase + 2, "QUERY_QUEUE_FULL", Resource}
	ExceededTimeLimit         = Code{resourceBase + 3, "EXCEEDED_TIME_LIMIT", Resource}
	ClusterOutOfMemory        = Code{resourceBase + 4, "CLUSTER_OUT_OF_MEMORY", Resource}
	ExceededCPULimit          = Code{resourceBase + 5, "EXCEEDED_CPU_LIMIT", Resource}
	ExceededSpillLimit        = Code{resourceBase + 6, "EXCEEDED_SPILL_LIMIT", Resource}
	ExceededLocalMemory       = Code{resourceBase + 7, "EXCEEDED_LOCAL_MEMORY_LIMIT", Resource}
	AdministrativelyPreempted = Code{resourceBase + 8, "ADMINISTRATIVELY_PREEMPTED", Resource}
	ExceededScanLimit         = Code{resourceBase + 9, "EXCEEDED_SCAN_LIMIT", Resource}

	// The lake connector's codes are those of Trino's Hive connector. Trino has
	// no code for "some outside system failed"; HIVE_UNKNOWN_ERROR is the nearest.
	GenericExternal           = Code{lakeBase + 5, "HIVE_UNKNOWN_ERROR", External}
	LakeMetadataError         = Code{lakeBase + 0, "HIVE_METASTORE_ERROR", External}
	LakeReadError             = Code{lakeBase + 1, "HIVE_CURSOR_ERROR", External}
	LakeCannotOpen            = Code{lakeBase + 3, "HIVE_CANNOT_OPEN_SPLIT", External}
	LakeFileNotFound          = Code{lakeBase + 4, "HIVE_FILE_NOT_FOUND", External}
	LakeBadData               = Code{lakeBase + 7, "HIVE_BAD_DATA", External}
	LakeSchemaMismatch        = Code{lakeBase + 8, "HIVE_PARTITION_SCHEMA_MISMATCH", External}
	LakeInvalidPartitionValue = Code{lakeBase + 10, "HIVE_INVALID_PARTITION_VALUE", External}
	LakeInvalidStructure      = Code{lakeBase + 12, "HIVE_INVALID_METADATA", External}
	LakePathAlreadyExists     = Code{lakeBase + 15, "HIVE_PATH_ALREADY_EXISTS", External}
	LakeFilesystemError       = Code{lakeBase + 16, "HIVE_FILESYSTEM_ERROR", External}
	LakeUnsupportedFormat     = Code{lakeBase + 19, "HIVE_UNSUPPORTED_FORMAT", External}
	LakeFileChanged           = Code{lakeBase + 22, "HIVE_CONCURRENT_MODIFICATION_DETECTED", External}
	LakeWriterOpenError       = Code{lakeBase + 25, "HIVE_WRITER_OPEN_ERROR", External}
	LakeWriterCloseError      = Code{lakeBase + 26, "HIVE_WRITER_CLOSE_ERROR", External}
	LakeWriterDataError       = Code{lakeBase + 27, "HIVE_WRITER_DATA_ERROR", External}
)
