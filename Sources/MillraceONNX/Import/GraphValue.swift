internal import MillraceModels

/// What is known of a value while a graph is folded into a model.
enum GraphValue {
    /// Numbers or texts that are in the file.
    case constant(GraphTensor)
    /// Rows of more than one dimension that have not been flattened yet.
    case block(NetworkDraft)
    /// `[rows, width]` as the network computes them.
    case network(NetworkDraft)
    /// A network's input with one of its two bounds.
    case halfBounded(NetworkDraft, [Double], isHigh: Bool)
    /// The exponential of a network's sums.
    case exponential(NetworkDraft)
    /// One more than that.
    case onePlusExponential(NetworkDraft)
    /// One less each probability.
    case complement(NetworkDraft)
    /// Both classes of a network with one output: `[1 - p, p]` or `[-s, s]`.
    case bothClasses(NetworkDraft)
    /// The sum of each row of probabilities.
    case total(NetworkDraft)
    /// Whether that sum is other than zero.
    case totalIsThere(NetworkDraft)
    /// Whether that sum is zero.
    case totalIsZero(NetworkDraft)
    /// The place of the largest output, or the class that stands there, with the classes' names.
    case classes(NetworkDraft, [String])

    /// What it is, for messages.
    var summary: String {
        switch self {
        case .constant: "a constant"
        case .block: "rows of more than one dimension"
        case .network(let draft): draft.tail.summary
        case .halfBounded: "an input with one bound"
        case .exponential, .onePlusExponential: "an exponential"
        case .complement, .bothClasses: "the outputs of both classes"
        case .total, .totalIsThere, .totalIsZero: "the sum of the probabilities"
        case .classes: "the class of each row"
        }
    }
}
