//! Curves of cost against the number of flows, as a picture.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// A curve: flows, and nanoseconds per packet.
pub type Curve = Vec<(f64, f64)>;

/// What was measured in one way.
#[derive(Debug)]
pub struct Curves {
    /// Which way that is.
    pub name: &'static str,
    /// Of whole packets.
    pub packet: Curve,
    /// Of the lookup alone, which is dashed.
    pub lookup: Curve,
}

const COLOURS: [RGBColor; 3] = [RGBColor(0, 90, 160), RGBColor(215, 95, 0), RGBColor(110, 110, 110)];

const SIZE: (u32, u32) = (800, 480);

/// Draws `curves` as an SVG picture at `path`.
///
/// # Errors
/// When the picture cannot be written.
pub fn draw(path: &Path, curves: &[Curves]) -> Result<(), Box<dyn Error>> {
    let points = || curves.iter().flat_map(|curves| &curves.packet);
    let flows = points().map(|&(flows, _)| flows);
    let (fewest, most) = flows.fold((f64::MAX, 0.0), |(low, high), flows| (flows.min(low), flows.max(high)));
    let dearest = points().fold(0.0, |high: f64, &(_, cost)| high.max(cost));

    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .margin_right(40)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d((fewest..most).log_scale(), 0.0..dearest * 1.1)?;
    chart
        .configure_mesh()
        .x_desc("flows in the table")
        .y_desc("ns per packet (dashed: lookup alone)")
        .x_label_formatter(&|&flows| short(flows))
        .y_label_formatter(&|cost| format!("{cost:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for (curves, colour) in curves.iter().zip(COLOURS) {
        let style = colour.stroke_width(2);
        chart.draw_series(DashedLineSeries::new(curves.lookup.iter().copied(), 6, 4, style))?;
        chart
            .draw_series(LineSeries::new(curves.packet.iter().copied(), style).point_size(3))?
            .label(curves.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .draw()?;
    area.present()?;
    Ok(())
}

/// A number of flows in thousands or millions.
fn short(flows: f64) -> String {
    if flows < 1e6 { format!("{:.0} k", flows / 1e3) } else { format!("{:.0} M", flows / 1e6) }
}
