@_exported public import MillraceCompute
@_exported public import MillraceFeatures
@_exported public import MillraceGroups
@_exported public import MillraceLog
@_exported public import MillraceModels
@_exported public import MillraceONNX
@_exported public import MillracePipeline
@_exported public import MillraceRepository
