/// Who writes the topic that a stage reads, as far as this run knows.
struct Upstream: Sendable {
    private let writers: [StageStatus]
    private let follow: Bool

    init(_ writers: [StageStatus], follow: Bool) {
        self.writers = writers
        self.follow = follow
    }

    /// Whether nobody in this run does.
    var isEmpty: Bool { writers.isEmpty }

    /// Whether nothing will be added any more.
    ///
    /// Ask before looking for rows: what was written before
    /// the answer was yes is then visible.
    var hasEnded: Bool { !follow && haveWritersFinished }

    /// Whether the sources and stages of this run have finished, even when it follows.
    var haveWritersFinished: Bool { writers.allSatisfy(\.hasFinished) }
}
