package kernel

var (
	mathKernels       = map[string]builder{}
	stringKernels     = map[string]builder{}
	textKernels       = map[string]builder{}
	regexpKernels     = map[string]builder{}
	binaryKernels     = map[string]builder{}
	dateKernels       = map[string]builder{}
	dateFormatKernels = map[string]builder{}
	arrayKernels      = map[string]builder{}
	mapKernels        = map[string]builder{}
)
