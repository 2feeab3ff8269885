/// A table of plain text with aligned columns.
struct TextTable: Equatable {
    /// One column.
    struct Column: Equatable {
        var name: String
        var alignment: TerminalText.Alignment

        /// A column of words.
        static func text(_ name: String) -> Column { Column(name: name, alignment: .leading) }
        /// A column of numbers.
        static func number(_ name: String) -> Column { Column(name: name, alignment: .trailing) }
    }

    var columns: [Column]
    /// The rows; missing cells are empty, and columns without any text are left out.
    var rows: [[String]]

    private static let gap = 2
    private static let narrowest = 7
    /// How wide a table in a file or a pipe may be.
    private static let widthOfFiles = 120

    /// The lines of the table, none wider than `limit`: first the wordy columns get narrower, then
    /// columns at the right are left out.
    func lines(limit: Int) -> [String] {
        var shown = columns.indices.filter { index in
            rows.contains { !cell($0, index).isEmpty }
        }
        var widths: [Int: Int] = [:]
        for index in shown {
            let texts = [columns[index].name] + rows.map { cell($0, index) }
            widths[index] = texts.map(TerminalText.width).max() ?? 0
        }
        while total(shown, widths) > limit, let last = shown.last {
            let wordy = shown.filter { columns[$0].alignment == .leading }
                .max { widths[$0, default: 0] < widths[$1, default: 0] }
            if let wordy, widths[wordy, default: 0] > Self.narrowest {
                widths[wordy, default: 0] -= 1
            } else if shown.count > 1 {
                shown.removeAll { $0 == last }
            } else {
                widths[last] = max(limit, 0)
                break
            }
        }
        let head = line(shown, widths) { columns[$0].name }
        return [head] + rows.map { row in line(shown, widths) { cell(row, $0) } }
    }

    /// The lines as they fit standard output, where that is a terminal; none without rows.
    func linesOnOutput() -> [String] {
        rows.isEmpty ? [] : lines(limit: TerminalWindow(1)?.columns ?? Self.widthOfFiles)
    }

    private func cell(_ row: [String], _ index: Int) -> String {
        index < row.count ? row[index] : ""
    }

    private func total(_ shown: [Int], _ widths: [Int: Int]) -> Int {
        shown.reduce(-Self.gap) { $0 + widths[$1, default: 0] + Self.gap }
    }

    private func line(
        _ shown: [Int], _ widths: [Int: Int], _ text: (Int) -> String
    ) -> String {
        let cells = shown.map {
            TerminalText.fit(text($0), widths[$0, default: 0], columns[$0].alignment)
        }
        let line = cells.joined(separator: String(repeating: " ", count: Self.gap))
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
