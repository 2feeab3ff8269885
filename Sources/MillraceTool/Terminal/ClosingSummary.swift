/// What a run ends with: the facts, then what each stage did.
struct ClosingSummary {
    /// One fact, such as `("rows", "336,776 read, none rejected")`.
    typealias Fact = (label: String, value: String)

    /// The first line, such as `Done in 4.2 s`.
    var title: String
    var facts: [Fact]
    var stages: TextTable

    /// The widest summary: longer lines are hard to read, and a file has no width.
    static let widest = 120

    init(title: String, facts: [Fact], stages: TextTable) {
        self.title = title
        self.facts = facts
        self.stages = stages
    }

    /// The whole text, in lines of at most `columns`.
    func text(in window: TerminalWindow?) -> String {
        let limit = min(window?.columns ?? Self.widest, Self.widest)
        let colours = window?.showsColours ?? false
        var lines = [TerminalStyle.bold(TerminalText.cut(title, to: limit), when: colours)]
        let label = min(facts.map { TerminalText.width($0.label) }.max() ?? 0, limit / 2)
        for fact in facts {
            let head = "  " + TerminalText.fit(fact.label, label) + "  "
            let value = TerminalText.printable(fact.value)
            let room = max(limit - TerminalText.width(head), 1)
            lines.append(
                TerminalStyle.faint(head, when: colours) + TerminalText.cut(value, to: room))
        }
        if !stages.rows.isEmpty {
            lines.append("")
            for (index, line) in stages.lines(limit: max(limit - 2, 1)).enumerated() {
                lines.append("  " + (index == 0 ? TerminalStyle.faint(line, when: colours) : line))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
