/** Entry point of the Zones panel. */
import { parseHostToZones } from '../protocol/zones.ts';
import { connectHost } from '../shared/host.ts';
import { adoptStyles } from '../shared/style.ts';
import { ZonesApp } from './app.ts';
import { ZONES_STYLE } from './style.ts';

adoptStyles(ZONES_STYLE);
customElements.define('zs-zones', ZonesApp);
const app = new ZonesApp();
(document.getElementById('app') ?? document.body).append(app);
app.attach(connectHost(), parseHostToZones);
