internal import MillraceInput

/// Splits rows into the values of their columns, whatever the format, reusing its memory.
///
/// **Allocation**: none once rows of the same shape have been split.
struct RowFields: Sendable {
    private let format: TextFormat
    private let columns: Int
    private var csv = CSVFields()
    private var json: JSONRowFields
    private var lineEnd = 0
    /// Whether values of the last row are not as they stand in its text, so that `unescape` has to
    /// copy them.
    private(set) var needUnescaping = false

    /// A splitter of rows of `schema`.
    ///
    /// - Parameters:
    ///   - needed: The columns whose values are looked at.
    ///   - arrayName: The name of a member of JSON whose array makes an object something else than
    ///     a row.
    init(_ schema: RowSchema, needed: some Sequence<String>, arrayName: String? = nil) {
        format = schema.format
        columns = schema.columns.count
        json = JSONRowFields(
            schema.format == .jsonl ? schema.columns : [], needed: Set(needed),
            arrayName: arrayName)
    }

    /// Whether the last object has the array that makes it something else than a row.
    var hasArray: Bool { format == .jsonl && json.hasArray }

    /// Why a row as a whole is unusable, and the column at fault, -1 where there is none.
    struct Fault {
        var reason: RejectReason
        var column: Int
    }

    /// Splits `line`; returns what is wrong with it, or nil.
    ///
    /// - Complexity: O(line).
    mutating func split(_ line: Span<UInt8>) -> Fault? {
        needUnescaping = false
        switch format {
        case .csv: return splitCSV(line)
        case .jsonl:
            if ValidText.firstFault(in: line) != nil {
                return Fault(reason: .invalidUTF8, column: -1)
            }
            let fault = json.split(line)
            needUnescaping = json.needUnescaping
            return fault
        case .lines:
            lineEnd = line.count
            guard ValidText.firstFault(in: line) == nil else {
                return Fault(reason: .invalidUTF8, column: 0)
            }
            return nil
        }
    }

    private mutating func splitCSV(_ line: Span<UInt8>) -> Fault? {
        do throws(CSVFault) {
            try csv.split(line)
        } catch {
            return Fault(reason: .malformedQuoting, column: csv.count)
        }
        if !csv.isASCII, let position = ValidText.firstFault(in: line) {
            return Fault(reason: .invalidUTF8, column: column(at: position))
        }
        guard csv.count == columns else { return Fault(reason: .wrongColumnCount, column: -1) }
        needUnescaping = csv.needUnescaping
        return nil
    }

    /// The column of CSV that holds the byte at `position`.
    private func column(at position: Int) -> Int {
        for index in 0..<csv.count where position <= csv[index].range.upperBound {
            return index
        }
        return csv.count - 1
    }

    /// Where the value of a column stands: in the row's text, or in what `unescape` has made of it.
    ///
    /// Nil where the row does not have the column; CSV and lines always do.
    @inline(__always)
    subscript(column: Int) -> Range<Int>? {
        switch format {
        case .csv: csv[column].range
        case .jsonl: json[column]
        case .lines: 0..<lineEnd
        }
    }

    /// Copies the values of the row into `text`, escapes resolved; from then on ranges refer to it.
    ///
    /// - Complexity: O(line).
    mutating func unescape(_ line: Span<UInt8>, into text: inout [UInt8]) {
        switch format {
        case .csv: csv.unescape(line, into: &text)
        case .jsonl: json.unescape(line, into: &text)
        case .lines:
            text.removeAll(keepingCapacity: true)
            for index in line.indices { text.append(line[index]) }
        }
        needUnescaping = false
    }
}
