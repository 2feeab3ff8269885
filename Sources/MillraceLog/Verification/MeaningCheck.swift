/// Checks that what batches say fits their topic: its kind of rows, its dictionary, and what
/// earlier batches said.
struct MeaningCheck: Sendable {
    private let scope: PartitionScope
    private var progress = ProgressCheck()
    private var unresolved: Set<UInt32> = []
    /// Widths that the topic's description does not allow.
    private var widths: Set<Int> = []

    init(_ scope: PartitionScope) { self.scope = scope }

    /// What is wrong about the batch alone: byte of its header, what was expected and found.
    mutating func fault(_ header: BatchHeader) -> BatchHeaderFault? {
        if let count = scope.dictionaryCount {
            for id in ProgressCheck.dictionaryIDs(header) where id > count {
                unresolved.insert(id)
            }
        }
        if let configuration = scope.configuration, header.rows > 0,
            !configuration.allows(columns: header.columns)
        {
            widths.insert(header.columns)
        }
        return progress.fault(header)
    }

    /// Forgets how far sources were read: a batch that is lost may have set them back.
    mutating func forgetProgress() { progress.forget() }

    /// What is wrong about the files that the batches, which have checksums, do not fit.
    var summary: [TopicVerification.Fault] {
        let widths = widths.sorted().map { width in
            TopicVerification.Fault(
                .metadata, scope.topicPath + "/topic.json", at: 0,
                expected: "a kind and number of features that allow rows of \(width) columns, "
                    + "which partition \(scope.partition) has",
                found: "\(scope.configuration?.kind.rawValue ?? "") of "
                    + "\(scope.configuration?.features ?? 0)")
        }
        let ids = unresolved.sorted().map { id in
            TopicVerification.Fault(
                .metadata, scope.dictionaryPath,
                expected: "a text for id \(id), which partition \(scope.partition) names",
                found: "\(scope.dictionaryCount ?? 0) texts")
        }
        return widths + ids
    }
}

extension TopicConfiguration {
    /// Whether rows of the topic may have `columns` columns.
    func allows(columns: Int) -> Bool {
        switch kind {
        case .bytes: columns == 0
        case .features: columns == features
        case .predictions: columns > 0
        }
    }
}
