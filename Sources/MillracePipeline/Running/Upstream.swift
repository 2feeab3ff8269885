/// Who writes the topic that a stage reads, as far as this run knows.
struct Upstream: Sendable {
    private let writers: [StageStatus]
    private let follow: Bool

    init(_ writers: [StageStatus], follow: Bool) {
        self.writers = writers
        self.follow = follow
    }

    /// Whether nothing will be added any more.
    ///
    /// Ask before looking for rows: what was written before
    /// the answer was yes is then visible.
    var hasEnded: Bool { !follow && writers.allSatisfy(\.hasFinished) }
}
