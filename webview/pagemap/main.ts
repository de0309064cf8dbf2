/** Entry point of the Pagemap panel. */
import { parseHostToPagemap } from '../protocol/pagemap.ts';
import { connectHost } from '../shared/host.ts';
import { adoptStyles } from '../shared/style.ts';
import { PagemapApp } from './app.ts';
import { PageMap } from './map.ts';
import { PAGEMAP_STYLE } from './style.ts';

adoptStyles(PAGEMAP_STYLE);
customElements.define('zs-map', PageMap);
customElements.define('zs-pagemap', PagemapApp);
const app = new PagemapApp();
(document.getElementById('app') ?? document.body).append(app);
app.attach(connectHost(), parseHostToPagemap);
