public import MillraceCompute
internal import MillraceModels

/// Scores rows on one thread, always with the newest version of a feed.
///
/// ```swift
/// let feed = try ModelFeed(ModelRepository(path: "models"), "flights-delay@stable")
/// var scorer = Scorer(feed)                           // one for each thread
/// let probabilities = scorer.predict(row.span)        // Span<Float>, until the next call
/// ```
///
/// A call with a version that was used before takes no lock, allocates nothing, counts no reference
/// and makes no system call. The first call after a version was swapped takes a lock that is held for
/// a few instructions. All rows of a call are scored by one version; `version` says which.
///
/// A scorer keeps the version that it used last until it is called again, or ends.
///
/// **Thread-safety**: one thread at a time; any number of scorers share a feed.
public struct Scorer: ~Copyable, Sendable {
    /// How many numbers a row has; every version of the feed takes as many.
    public let inputWidth: Int
    /// How many numbers a prediction has.
    public let outputWidth: Int
    /// The version that scored last, or will score next when nothing newer comes.
    public private(set) var current: ServingVersion
    /// What scores in `current`, by itself: looked up there, it would be counted in each call.
    private var model: PreparedModel
    private let feed: ModelFeed
    private var workspace: ScoringWorkspace
    private var outputs: FloatBuffer

    /// A scorer for one thread.
    public init(_ feed: ModelFeed) {
        let current = feed.current
        self.feed = feed
        self.current = current
        model = current.model
        inputWidth = current.model.inputWidth
        outputWidth = current.model.outputWidth
        workspace = ScoringWorkspace(for: current.model)
        outputs = FloatBuffer(count: outputWidth)
    }

    /// Scores one row of raw features, NaN where missing; the outputs are those after the head.
    ///
    /// The result is overwritten by the next call.
    ///
    /// - Precondition: `row` has `inputWidth` numbers.
    @_lifetime(&self)
    public mutating func predict(_ row: Span<Float>) -> Span<Float> {
        precondition(row.count == inputWidth, "a row has as many numbers as the model takes")
        take()
        Self.predict(row, model, &outputs, &workspace)
        return outputs.floats
    }

    @inline(__always)
    private static func predict(
        _ row: Span<Float>, _ model: PreparedModel, _ outputs: inout FloatBuffer,
        _ workspace: inout ScoringWorkspace
    ) {
        var target = outputs.mutableFloats
        model.predict(row, rows: 1, stride: row.count, into: &target, workspace: &workspace)
    }

    /// Scores many rows; see `PreparedModel.predict`.
    ///
    /// - Returns: The version that scored them.
    /// - Precondition: `output` has room for `[rows, outputWidth]`.
    @discardableResult
    public mutating func predict(
        _ features: borrowing FeatureMatrix, into output: inout MutableSpan<Float>
    ) -> Int {
        take()
        model.predict(features, into: &output, workspace: &workspace)
        return current.version
    }

    /// Takes the version that the feed offers, when it is another one.
    @inline(__always)
    private mutating func take() {
        if let newer = feed.newer(than: current.version) { change(to: newer) }
    }

    @inline(never)
    private mutating func change(to newer: ServingVersion) {
        current = newer
        model = newer.model
        if !workspace.fits(newer.model) { workspace = ScoringWorkspace(for: newer.model) }
    }
}
