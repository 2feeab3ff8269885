import MillraceModels
import Testing

/// What a test changes in the options of a training.
struct TrainingCase: CustomTestStringConvertible, Sendable {
    var name: String
    var change: @Sendable (inout TrainingOptions) -> Void
    var testDescription: String { name }
}
