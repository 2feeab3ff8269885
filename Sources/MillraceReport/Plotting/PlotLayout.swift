/// Where the parts of a plot stand, in pixels of the picture.
struct PlotLayout {
    let width: Double
    let height: Double
    let left: Double
    let right: Double
    let top: Double
    let bottom: Double
    let x: AxisMapping
    let y: AxisMapping

    private static let widePicture = (width: 560.0, height: 290.0)
    private static let squareSide = 290.0
    private static let labelRow = 16.0
    private static let axisLabelHeight = 22.0
    private static let tickLabelHeight = 36.0
    private static let margin = 14.0
    /// About the width of a digit at the size of tick labels.
    static let digitWidth = 6.3

    init(_ plot: Plot) {
        let annotated = !plot.markers.isEmpty || !plot.bands.isEmpty
        top = Self.axisLabelHeight + (annotated ? Self.labelRow : 6)
        let square = plot.aspect == .square
        bottom = square ? top + Self.squareSide : Self.widePicture.height - Self.tickLabelHeight
        height = bottom + Self.tickLabelHeight
        y = AxisMapping(
            plot.yAxis, values: Self.extremes(plot.series, plot.yAxis) { $0.y }, start: bottom,
            end: top, target: 5, rounded: true)
        let widest = y.ticks.labels.map(\.count).max() ?? 1
        left = Double(widest) * Self.digitWidth + 12
        right = square ? left + Self.squareSide : Self.widePicture.width - Self.margin
        width = right + Self.margin
        x = AxisMapping(
            plot.xAxis, values: Self.extremes(plot.series, plot.xAxis) { $0.x }, start: left,
            end: right, target: square ? 5 : 6, rounded: false)
    }

    /// The smallest and largest value that the axis can show.
    private static func extremes(
        _ series: [Series], _ axis: Axis, _ value: (Series.Point) -> Double
    ) -> ClosedRange<Double>? {
        var low = Double.infinity
        var high = -Double.infinity
        for point in series.lazy.flatMap(\.points) where point.x.isFinite && point.y.isFinite {
            let value = value(point)
            guard axis.scale == .linear || value > 0 else { continue }
            low = min(low, value)
            high = max(high, value)
        }
        return low <= high ? low...high : nil
    }
}
