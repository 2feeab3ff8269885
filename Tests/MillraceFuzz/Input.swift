/// What an input is about.
enum Target: UInt8, CaseIterable {
    /// The batches of the newest segment.
    case batch
    /// The header of the newest segment.
    case segment
    /// The control page.
    case control
    /// The newest index.
    case index
    /// The topic's dictionary.
    case dictionary
    /// The topic's description.
    case description
    /// Edits anywhere in the topic's directory.
    case directory
}

/// An input taken apart: what it is about, how it is applied, and the bytes.
struct Input {
    let target: Target
    /// Which of the topics it is applied to.
    let template: Int
    /// Whether checksums are made right again, so that what lies behind them is reached.
    let fixesChecksums: Bool
    /// Whether the machine seems to have been restarted since the log was written.
    let restarts: Bool
    /// Whether the file ends where the bytes end.
    let truncates: Bool
    let bytes: ArraySlice<UInt8>

    static let headerBytes = 2

    init?(_ input: [UInt8]) {
        guard input.count >= Self.headerBytes, let target = Target(rawValue: input[0]) else {
            return nil
        }
        self.target = target
        template = Int(input[1] & 3)
        fixesChecksums = input[1] & 4 != 0
        restarts = input[1] & 8 != 0
        truncates = input[1] & 16 != 0
        bytes = input[Self.headerBytes...]
    }

    /// Whether rows may be missing without an error after this.
    ///
    /// Not after a change that checksums find: of batches, headers, indexes and names, and of
    /// eight bits next to each other anywhere. The words of the control page have checks of eight
    /// bits each: arbitrary bytes pass them.
    var mayLoseRows: Bool {
        if restarts || fixesChecksums { return true }
        switch target {
        case .batch, .segment, .index, .dictionary: return false
        case .directory: return bytes.count >= 8
        case .control, .description: return true
        }
    }

    /// The two bytes in front of an input.
    static func header(
        _ target: Target, template: Int, fixes: Bool = false, restarts: Bool = false,
        truncates: Bool = false
    ) -> [UInt8] {
        [
            target.rawValue,
            UInt8(template) | (fixes ? 4 : 0) | (restarts ? 8 : 0) | (truncates ? 16 : 0),
        ]
    }
}
