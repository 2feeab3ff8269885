internal import MillraceModels

/// Which rows of which partition belong to a round of training: a pure function of how many rounds
/// came before, never of timing.
struct StepPlan: Sendable {
    /// Rows that are learnt one by one from one partition before the next one's turn.
    private static let turnRows = 256

    private let shares: [Int]
    /// Whether partitions are read in turn, one in each round.
    let takesTurns: Bool
    /// Rows that a lane learns at once.
    let batchRows: Int
    /// How many lanes the trainer has.
    let lanes: Int

    init(_ options: TrainingOptions, partitions: Int) throws(PipelineError) {
        takesTurns = options.mode == .sequential && options.synchronization == .reduce
        guard !takesTurns else {
            shares = [Int](repeating: Self.turnRows, count: partitions)
            batchRows = Self.turnRows
            lanes = 1
            return
        }
        let rows: Int
        switch options.synchronization {
        case .reduce:
            rows = options.batchRows
            batchRows = rows
        case .average(let every):
            rows = every
            batchRows = options.mode == .sequential ? Self.turnRows : options.batchRows
        }
        guard rows >= partitions else {
            throw PipelineError(
                .usage,
                "a step of \(rows) rows cannot have rows of each of \(partitions) partitions",
                advice: "Ask for a batch of at least \(partitions) rows.")
        }
        shares = (0..<partitions).map { rows / partitions + ($0 < rows % partitions ? 1 : 0) }
        lanes = partitions
    }

    /// How many rows of a partition belong to the round in which it is the turn of `turn`.
    func rows(of partition: Int, turn: Int) -> Int {
        takesTurns && partition != turn ? 0 : shares[partition]
    }

    /// The lane that learns a partition's rows.
    func lane(of partition: Int) -> Int { takesTurns ? 0 : partition }

    /// Whose turn it is after a round that was `turn`'s and took `rows`, when these partitions are
    /// exhausted.
    ///
    /// When all are, nobody's turn has passed that took nothing: so rows that are appended later are
    /// learnt in the order in which they would have been, had they been there.
    func next(after turn: Int, rows: Int, exhausted: [Bool]) -> Int {
        guard takesTurns, rows > 0 || !exhausted.allSatisfy(\.self) else { return turn }
        return (turn + 1) % shares.count
    }
}
