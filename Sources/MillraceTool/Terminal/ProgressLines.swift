internal import MillracePipeline
internal import MillraceReport

/// The progress of all stages, one line each, in columns that stand below each other.
///
/// A pure function of the stages and the window. Where the window is narrow, the columns that say
/// least are left out; no line ever reaches the window's edge, so none wraps.
struct ProgressLines {
    private enum Field: CaseIterable {
        case name, bar, state, bytes, rows, rate, left, lag, loss, quality, version, rejected

        /// What stays longest when the window gets narrower comes first.
        static let byImportance: [Field] = [
            .name, .state, .rows, .rate, .rejected, .left, .loss, .quality, .version, .bar, .bytes,
            .lag,
        ]
    }

    private static let gap = "  "
    private static let barWidth = (least: 8, most: 28)
    private static let nameWidth = (least: 6, most: 24)

    private let stages: [StageProgress]
    private let window: TerminalWindow

    init(_ stages: [StageProgress], in window: TerminalWindow) {
        self.stages = stages
        self.window = window
    }

    /// The lines, at most one less than the window has.
    var lines: [String] {
        let limit = max(window.columns - 1, 1)
        let room = max(window.rows - 1, 1)
        let shown = stages.count > room ? Array(stages.prefix(room - 1)) : stages
        var lines = table(shown, limit)
        if shown.count < stages.count {
            lines.append(TerminalText.cut("… and \(stages.count - shown.count) more", to: limit))
        }
        return lines
    }

    private func table(_ shown: [StageProgress], _ limit: Int) -> [String] {
        var cells: [Field: [String]] = [:]
        var widths: [Field: Int] = [:]
        var used = -Self.gap.count
        for field in Field.byImportance {
            let texts = shown.map { text(field, $0) }
            var width = texts.map(TerminalText.width).max() ?? 0
            guard width > 0 else { continue }
            width = max(width, shown.map { reserve(field, $0) }.max() ?? 0)
            if field == .name {
                let most = min(Self.nameWidth.most, max(limit / 3, Self.nameWidth.least))
                width = min(width, most, limit)
            }
            guard used + Self.gap.count + width <= limit else { continue }
            used += Self.gap.count + width
            (cells[field], widths[field]) = (texts, width)
        }
        if let width = widths[.bar] {
            widths[.bar] = min(width + limit - used, Self.barWidth.most)
        }
        return shown.indices.map { index in
            line(shown[index], cells.mapValues { $0[index] }, widths)
        }
    }

    private func line(
        _ stage: StageProgress, _ cells: [Field: String], _ widths: [Field: Int]
    ) -> String {
        var parts: [String] = []
        // What is blank at the end of a line is left out.
        let end = Field.allCases.lastIndex { !(cells[$0] ?? "").isEmpty } ?? -1
        for field in Field.allCases.prefix(end + 1) {
            guard let width = widths[field], let cell = cells[field] else { continue }
            switch field {
            case .bar: parts.append(bar(stage, width))
            case .name:
                parts.append(TerminalStyle.bold(fit(cell, width), when: window.showsColours))
            case .state: parts.append(styled(stage, fit(cell, width, .trailing)))
            case .rejected:
                parts.append(TerminalStyle.yellow(fit(cell, width), when: window.showsColours))
            default: parts.append(fit(cell, width, .trailing))
            }
        }
        return parts.joined(separator: Self.gap)
    }

    private func fit(
        _ text: String, _ width: Int, _ alignment: TerminalText.Alignment = .leading
    ) -> String {
        TerminalText.fit(text, width, alignment)
    }

    private func styled(_ stage: StageProgress, _ text: String) -> String {
        switch stage.state {
        case .waiting: TerminalStyle.faint(text, when: window.showsColours)
        case .running: text
        case .done: TerminalStyle.green(text, when: window.showsColours)
        case .failed: TerminalStyle.red(text, when: window.showsColours)
        }
    }

    /// A bar for the part that is done; a stage whose end is not known has blanks in its place.
    private func bar(_ stage: StageProgress, _ width: Int) -> String {
        guard let fraction = stage.fraction else { return String(repeating: " ", count: width) }
        let done = min(Int(Double(width) * fraction), width)
        return TerminalStyle.blue(String(repeating: "━", count: done), when: window.showsColours)
            + TerminalStyle.faint(
                String(repeating: "─", count: width - done), when: window.showsColours)
    }

    /// The width that a column will need in the end, so that columns do not move while numbers grow.
    private func reserve(_ field: Field, _ stage: StageProgress) -> Int {
        switch field {
        case .rows: stage.rowsTotal.map { NumberText.count($0).count + " rows".count } ?? 0
        case .lag: stage.rowsTotal.map { "lag ".count + NumberText.count($0).count } ?? 0
        case .rate: "1.23 M rows/s".count
        case .left: stage.state == .running && stage.fraction != nil ? "59 min left".count : 0
        default: 0
        }
    }

    private func text(_ field: Field, _ stage: StageProgress) -> String {
        switch field {
        case .name: TerminalText.printable(stage.name).replacing("\n", with: " ")
        case .bar:
            stage.fraction == nil ? "" : String(repeating: "─", count: Self.barWidth.least)
        case .state: state(stage)
        case .rows: stage.state == .waiting ? "" : NumberText.count(stage.rowsDone) + " rows"
        case .rate:
            stage.state == .running ? NumberText.compact(stage.rowsPerSecond) + " rows/s" : ""
        case .bytes:
            stage.bytes.map { "\(NumberText.bytes($0.read)) of \(NumberText.bytes($0.total))" }
                ?? ""
        case .left: stage.secondsLeft.map { Self.rest($0) + " left" } ?? ""
        case .lag: stage.lagRows.map { "lag " + NumberText.count($0) } ?? ""
        case .loss: stage.loss.map { "loss " + NumberText.fixed($0, 4) } ?? ""
        case .quality:
            stage.auc.map { "AUC " + NumberText.fixed($0, 4) }
                ?? stage.accuracy.map { "accuracy " + NumberText.percent($0) } ?? ""
        case .version: stage.modelVersion.map { "v\($0)" } ?? ""
        case .rejected:
            stage.rejectedRows > 0 ? NumberText.count(stage.rejectedRows) + " rejected" : ""
        }
    }

    /// A time that is only foretold, in one unit.
    static func rest(_ seconds: Double) -> String {
        switch seconds {
        case ..<99.5: "\(Int(seconds.rounded(.up))) s"
        case ..<5940: "\(Int((seconds / 60).rounded(.up))) min"
        case ..<359_000: "\(Int((seconds / 3600).rounded(.up))) h"
        default: "days"
        }
    }

    private func state(_ stage: StageProgress) -> String {
        guard stage.state == .running, let fraction = stage.fraction else {
            return stage.state.rawValue
        }
        // A running stage is not at its end, whatever rounding says.
        return "\(min(Int(fraction * 100), 99)) %"
    }
}
