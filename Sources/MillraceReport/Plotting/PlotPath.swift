/// The points of one series as they stand in the picture, in unbroken pieces.
struct PlotPath {
    /// Points that are joined; between two pieces there is a gap.
    private(set) var pieces: [[Downsampling.Sample]] = []
    private let style: Series.Style
    /// The points whose values a reader can ask for: those that are drawn.
    private(set) var drawn: [Series.Point] = []

    /// One sample a pixel and extreme: finer cannot be seen.
    private static let columnWidth = 1.0
    /// Dots have a diameter of 5 pixels: closer ones cover each other.
    private static let dotCell = 2.0

    init(_ series: Series, in layout: PlotLayout) {
        style = series.style
        var piece: [Downsampling.Sample] = []
        for (index, point) in series.points.enumerated() {
            if let x = layout.x.position(point.x), let y = layout.y.position(point.y) {
                piece.append(Downsampling.Sample(x: x, y: y, index: index))
            } else {
                close(&piece)
            }
        }
        close(&piece)
        drawn = pieces.joined().map { series.points[$0.index] }
    }

    private mutating func close(_ piece: inout [Downsampling.Sample]) {
        guard !piece.isEmpty else { return }
        pieces.append(
            style == .points
                ? Downsampling.points(piece, cell: Self.dotCell)
                : Downsampling.line(piece, columnWidth: Self.columnWidth))
        piece.removeAll()
    }

    /// The path in the language of SVG; dots are lines without length and with round ends.
    var commands: String {
        var text = ""
        for piece in pieces {
            for (index, sample) in piece.enumerated() {
                let x = Self.coordinate(sample.x)
                let y = Self.coordinate(sample.y)
                switch style {
                case .points: text += "M\(x) \(y)h0"
                case .step where index > 0: text += "H\(x)V\(y)"
                default: text += (index == 0 ? "M" : "L") + "\(x) \(y)"
                }
            }
            // A point alone between two gaps is still seen, as a dot.
            if piece.count == 1 && style != .points { text += "h0" }
        }
        return text
    }

    /// A position in tenths of a pixel.
    static func coordinate(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        let (whole, part) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
        return (tenths < 0 ? "-" : "") + (part == 0 ? "\(whole)" : "\(whole).\(part)")
    }
}
